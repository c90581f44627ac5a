import * as z from 'zod';

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const DAY = 86_400_000;
const MILLISECONDS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: DAY };

/** So that a point in time that far ahead can still be written as a date. */
const LONGEST_DAYS = 36_500;
/** Node's timers hold no more than 2^31 ms, some 24 days; beyond it they fire at once. */
const LONGEST_TIMEOUT_DAYS = 1;

/** `500ms` `30s` `15m` `2h` `30d`, read as milliseconds. */
export const durationSchema = z.string().transform((text, context) => {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  if (amount === undefined || unit === undefined) {
    context.addIssue({
      code: 'custom',
      message: `"${text}" is not a duration; write 500ms, 30s, 15m, 2h or 30d`,
    });
    return z.NEVER;
  }
  const duration = Number(amount) * (MILLISECONDS[unit] ?? 1);
  if (duration <= LONGEST_DAYS * DAY) return duration;
  context.addIssue({ code: 'custom', message: `"${text}" is too long; at most ${LONGEST_DAYS}d` });
  return z.NEVER;
});

/** A duration to wait for at most: more than nothing, at most a day. */
export const timeoutSchema = durationSchema.refine(
  (duration) => duration > 0 && duration <= LONGEST_TIMEOUT_DAYS * DAY,
  `must be more than 0 and at most ${LONGEST_TIMEOUT_DAYS}d`,
);
