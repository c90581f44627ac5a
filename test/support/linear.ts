/** A ratio up to which nobody has to look again. */
const LINEAR = 16;

/**
 * How much longer `work` takes on eight times the input: about 8 where the time is linear, 64 where it is quadratic.
 * Takes the best of several runs, and the least of some ratios, so that a busy machine does not show.
 */
export function growth(work: (input: string) => unknown, unit: string, size = 24_000): number {
  const small = unit.repeat(Math.ceil(size / unit.length));
  const large = small.repeat(8);
  best(work, small, 2);
  const ratio = (): number => best(work, large, 3) / Math.max(best(work, small, 6), 0.2);
  let least = ratio();
  for (let more = 0; more < 7 && least > LINEAR; more++) least = Math.min(least, ratio());
  return least;
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
