const DAY_MS = 86_400_000;

/** The period of the calendar that a moment is in, in UTC; a week begins on Monday. In ms since the epoch. */
export function periodOf(
  period: 'day' | 'week' | 'month',
  now: number,
): { readonly start: number; readonly end: number } {
  const date = new Date(now);
  const day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
  if (period === 'day') return { start: day, end: day + DAY_MS };
  if (period === 'week') {
    const start = day - ((date.getUTCDay() + 6) % 7) * DAY_MS;
    return { start, end: start + 7 * DAY_MS };
  }
  return {
    start: Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1),
    end: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1),
  };
}
