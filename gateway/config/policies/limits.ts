import * as z from 'zod';
import { ratesSchema } from '../units.ts';
import { webhookSchema } from './webhook.ts';
import { policyNameSchema, whenSchema } from './when.ts';

/** What has a counter of its own; without any there is one counter for all. */
const perSchema = z
  .array(
    z
      .string()
      .regex(
        /^(?:principal|team|token|server|tool|model|group|metadata\.[A-Za-z0-9_.-]{1,100})$/,
        'write principal, team, token, server, tool, model, group or metadata.KEY',
      ),
  )
  .max(8)
  .default([]);

/** `audit` counts and notes what it would have refused. */
const modeSchema = z.enum(['enforce', 'audit']).default('enforce');
/** What becomes of a call of a model that has no price, where cost is counted. */
const unpricedSchema = z.enum(['deny', 'allow']).default('deny');

/** In any stretch of time of the length that is given, never more than this. */
export const rateLimitSchema = z
  .strictObject({
    name: policyNameSchema,
    when: whenSchema.default({}),
    limits: z.strictObject({
      calls: ratesSchema.optional(),
      /** Of models as their providers count them; of tools, a quarter of the characters of arguments and result. */
      tokens: ratesSchema.optional(),
      /** US dollars, of models. */
      cost: ratesSchema.optional(),
      /** Calls under way at once. */
      concurrency: z.int().min(1).max(100_000).optional(),
    }),
    per: perSchema,
    mode: modeSchema,
    unpriced: unpricedSchema,
  })
  .refine(({ limits }) => Object.values(limits).some((value) => value !== undefined), {
    path: ['limits'],
    message: 'limits nothing; give calls, tokens, cost or concurrency',
  });
export type RateLimit = z.infer<typeof rateLimitSchema>;

const spendSchema = z
  .string()
  .regex(/^\d+(?:\.\d+)?\/(?:day|week|month)$/, 'write an amount a day, week or month, such as 500/month')
  .transform((text) => {
    const [amount, period] = text.split('/');
    return { amount: Number(amount), period: period as 'day' | 'week' | 'month', text };
  });

/** What may be spent in a day, a week (from Monday) or a month of the calendar, in UTC. */
export const budgetSchema = z
  .strictObject({
    name: policyNameSchema,
    when: whenSchema.default({}),
    limits: z.strictObject({ cost: spendSchema.optional(), tokens: spendSchema.optional() }),
    per: perSchema,
    /** Percent of the limit at which it is said. */
    alerts: z.array(z.int().min(1).max(100)).max(10).default([75, 90, 100]),
    /** A program that is told, too. */
    webhook: webhookSchema.optional(),
    mode: modeSchema,
    unpriced: unpricedSchema,
  })
  .refine(({ limits }) => limits.cost !== undefined || limits.tokens !== undefined, {
    path: ['limits'],
    message: 'limits nothing; give cost or tokens',
  })
  .refine(({ webhook, alerts }) => webhook === undefined || alerts.length > 0, {
    path: ['alerts'],
    message:
      'names no threshold, so that the webhook would never be told; name one, or leave the webhook out',
  });
export type Budget = z.infer<typeof budgetSchema>;

/** Prices of models that are not known, or of a contract of one's own: US dollars for a million tokens. */
export const priceSchema = z.strictObject({
  /** `provider/model`, with globs; the first entry that matches counts. */
  models: z.array(z.string().min(1)).min(1),
  input: z.number().min(0),
  output: z.number().min(0),
});
export type Price = z.infer<typeof priceSchema>;
