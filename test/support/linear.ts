/**
 * How much longer `work` takes on eight times the input: about 8 where the time is linear, 64 where it is quadratic.
 * Takes the best of several runs, and the least of three ratios, so that a busy machine does not show.
 */
export function growth(work: (input: string) => unknown, unit: string, size = 24_000): number {
  const small = unit.repeat(Math.ceil(size / unit.length));
  const large = small.repeat(8);
  best(work, small, 2);
  const ratio = (): number => best(work, large, 3) / Math.max(best(work, small, 6), 0.2);
  return Math.min(ratio(), ratio(), ratio());
}

function best(work: (input: string) => unknown, input: string, runs: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const started = performance.now();
    work(input);
    least = Math.min(least, performance.now() - started);
  }
  return least;
}
