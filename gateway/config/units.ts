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

const RATE = /^(\d+(?:\.\d+)?)\/(s|sec|second|min|minute|h|hour|d|day|w|week|month)$/;
const WINDOWS: Record<string, number> = {
  ...{ s: 1_000, sec: 1_000, second: 1_000 },
  ...{ min: 60_000, minute: 60_000 },
  ...{ h: 3_600_000, hour: 3_600_000 },
  ...{ d: DAY, day: DAY },
  ...{ w: 7 * DAY, week: 7 * DAY },
  month: 30 * DAY,
};

/** How much may pass in any stretch of time of a length. */
export interface Rate {
  readonly amount: number;
  /** Milliseconds; a month has 30 days. */
  readonly window: number;
  /** As it was written. */
  readonly text: string;
}

/** `5/min` `20/s` `1000/hour` `100000/day` `2000000/month`. */
export const rateSchema = z.string().transform((text, context): Rate => {
  const [, amount, unit] = RATE.exec(text) ?? [];
  const window = unit === undefined ? undefined : WINDOWS[unit];
  if (amount !== undefined && window !== undefined) return { amount: Number(amount), window, text };
  context.addIssue({
    code: 'custom',
    message: `"${text}" is not a rate; write 20/s, 5/min, 1000/hour, 5000/day, 20000/week or 100000/month`,
  });
  return z.NEVER;
});

/** One rate, or several that all hold. */
export const ratesSchema = z
  .union([rateSchema, z.array(rateSchema).min(1).max(8)], 'write a rate such as 5/min, or a list of rates')
  .transform((given) => (Array.isArray(given) ? given : [given]))
  .refine(
    (rates) => new Set(rates.map(({ window }) => window)).size === rates.length,
    'two rates are of the same length of time; keep the smaller one',
  );

const SIZE = /^(\d+(?:\.\d+)?)(B|kB|MB|GB)$/;
const BYTES: Record<string, number> = { B: 1, kB: 1_000, MB: 1_000_000, GB: 1_000_000_000 };

/** `64kB` `5MB`, read as bytes. */
export const sizeSchema = z.string().transform((text, context) => {
  const [, amount, unit] = SIZE.exec(text) ?? [];
  const factor = unit === undefined ? undefined : BYTES[unit];
  if (amount !== undefined && factor !== undefined && Number(amount) > 0)
    return Math.floor(Number(amount) * factor);
  context.addIssue({ code: 'custom', message: `"${text}" is not a size; write 500B, 64kB or 5MB` });
  return z.NEVER;
});
