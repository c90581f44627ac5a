/** Rotations over all pairs of axes until nothing is left beside the diagonal: enough for a hundred dimensions. */
const SWEEPS = 30;
const NOTHING = 1e-14;

/** The directions in which rows differ most, the first one most, by Jacobi's method on their covariance. */
export function principalAxes(rows: readonly Float64Array[], count: number): Float64Array[] {
  const matrix = covariance(rows);
  const size = matrix.length;
  const axes = matrix.map((_, a) => Float64Array.from({ length: size }, (__, b) => (a === b ? 1 : 0)));
  for (let sweep = 0; sweep < SWEEPS; sweep++)
    for (let p = 0; p < size; p++)
      for (let q = p + 1; q < size; q++) if (Math.abs(matrix[p]![q]!) >= NOTHING) rotate(matrix, axes, p, q);
  return matrix
    .map((row, at) => [row[at]!, at] as const)
    .sort((a, b) => b[0] - a[0])
    .slice(0, count)
    .map(([, at]) => axes[at]!);
}

function covariance(rows: readonly Float64Array[]): Float64Array[] {
  const size = rows[0]?.length ?? 0;
  const sums = Array.from({ length: size }, () => new Float64Array(size));
  for (const row of rows)
    for (let a = 0; a < size; a++) for (let b = 0; b < size; b++) sums[a]![b]! += row[a]! * row[b]!;
  return sums.map((row) => row.map((value) => value / rows.length));
}

function rotate(matrix: readonly Float64Array[], axes: readonly Float64Array[], p: number, q: number): void {
  const theta = (matrix[q]![q]! - matrix[p]![p]!) / (2 * matrix[p]![q]!);
  const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cosine = 1 / Math.sqrt(tangent * tangent + 1);
  const sine = tangent * cosine;
  for (const row of matrix) {
    const [a, b] = [row[p]!, row[q]!];
    row[p] = cosine * a - sine * b;
    row[q] = sine * a + cosine * b;
  }
  for (const rows of [matrix, axes]) {
    const [first, second] = [rows[p]!, rows[q]!];
    for (let at = 0; at < first.length; at++) {
      const [a, b] = [first[at]!, second[at]!];
      first[at] = cosine * a - sine * b;
      second[at] = sine * a + cosine * b;
    }
  }
}
