const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** A run this long counts as healthy: the next failure starts over at the first delay. */
const HEALTHY_RUN_MS = 60_000;

/** How long to wait before each new start of a process that keeps ending: 0.5 s, doubling up to 30 s. */
export class RestartBackoff {
  #failures = 0;

  /** The wait in milliseconds before the next start, after a run that lasted `ranForMs` (0 when it never ran). */
  next(ranForMs: number): number {
    if (ranForMs >= HEALTHY_RUN_MS) this.#failures = 0;
    const delay = Math.min(FIRST_DELAY_MS * 2 ** this.#failures, LONGEST_DELAY_MS);
    this.#failures += 1;
    return delay;
  }

  reset(): void {
    this.#failures = 0;
  }
}
