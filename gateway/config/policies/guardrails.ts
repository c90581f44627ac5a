import * as z from 'zod';
import { PII_ENTITIES } from '../../contract/pii.ts';
import { SENSITIVITIES, UNSAFE_CATEGORIES } from '../../contract/unsafe.ts';
import { addressSchema } from '../address.ts';
import { timeoutSchema } from '../units.ts';
import { policyNameSchema, whenSchema } from './when.ts';

export const HOOKS = ['toolArguments', 'toolResult', 'modelInput', 'modelOutput'] as const;
export type Hook = (typeof HOOKS)[number];

const common = {
  name: policyNameSchema,
  when: whenSchema.default({}),
  hooks: z.array(z.enum(HOOKS)).min(1, 'name at least one'),
  /**
   * `enforce` refuses also when the guard itself breaks; `enforce-but-ignore-errors` lets pass then; `audit` notes what
   * it finds and never stands in the way.
   */
  mode: z.enum(['enforce', 'enforce-but-ignore-errors', 'audit']).default('enforce'),
  /** The lowest first; equal ones in the order of the file. */
  priority: z.int().min(0).max(10_000).default(100),
  timeout: timeoutSchema.default(5_000),
  /** What the caller is told in place of the guard's own words. */
  message: z.string().min(1).max(1000).optional(),
};
/** `mutate` puts a mark in place of what it finds; `validate` refuses. */
const operation = z.enum(['validate', 'mutate']).default('validate');
const onlyValidates = z
  .literal('validate', 'this kind cannot change anything: write validate')
  .default('validate');

const only = (...hooks: readonly Hook[]) =>
  z.array(z.enum(hooks, `this kind looks at ${hooks.join(' and ')} alone`)).min(1, 'name at least one');

const regexSchema = z.strictObject({
  /** As RE2 has it: it takes time linear in the text. */
  pattern: z.string().min(1).max(2000),
  /** Put in its place; by default `[NAME]`, of the guard's name. */
  replace: z.string().max(500).optional(),
});

export const guardrailSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('pii'),
    ...common,
    operation,
    entities: z
      .array(z.enum(PII_ENTITIES))
      .min(1)
      .default([...PII_ENTITIES]),
  }),
  z.strictObject({
    kind: z.literal('secrets'),
    ...common,
    operation,
    /** Also strings that look random, of which nothing else says that they are secret. */
    entropy: z.boolean().default(true),
  }),
  z.strictObject({ kind: z.literal('hidden-text'), ...common, operation }),
  /** Text that wants to instruct a model. Of `modelInput`, the messages with results of tools alone. */
  z.strictObject({ kind: z.literal('injection'), ...common, operation }),
  z.strictObject({
    kind: z.literal('unsafe-content'),
    ...common,
    operation,
    /** Without `profanity`: people swear at what does not work. */
    categories: z
      .array(z.enum(UNSAFE_CATEGORIES))
      .min(1)
      .default(UNSAFE_CATEGORIES.filter((category) => category !== 'profanity')),
    /** Words and phrases in which nothing is found. */
    allow: z.array(z.string().min(1).max(100)).max(1_000).default([]),
    /** Words and phrases that are found besides. */
    words: z.array(z.string().trim().min(2).max(100)).max(1_000).default([]),
    /** How readily a sentence is found that has none of the known words; `off`: words and phrases alone. */
    sensitivity: z.enum(SENSITIVITIES).default('normal'),
  }),
  z.strictObject({
    kind: z.literal('regex'),
    ...common,
    operation,
    patterns: z.array(regexSchema).min(1).max(100),
  }),
  z.strictObject({
    kind: z.literal('cel'),
    ...common,
    hooks: only('toolArguments'),
    operation: onlyValidates,
    /** In CEL, over the arguments; where it is true the call is refused. */
    deny: z.string().min(1).max(2000),
  }),
  z.strictObject({
    kind: z.literal('schema'),
    ...common,
    hooks: only('toolArguments', 'toolResult'),
    operation: onlyValidates,
    /** JSON Schema, of the arguments or of the structured content. */
    schema: z.record(z.string(), z.json()),
  }),
  z.strictObject({
    kind: z.literal('metadata'),
    ...common,
    hooks: only('toolArguments', 'modelInput'),
    operation: onlyValidates,
    /** Keys that the caller has to send as `x-toolgate-metadata`. */
    keys: z.array(z.string().min(1).max(100)).min(1),
  }),
  z.strictObject({
    kind: z.literal('sql'),
    ...common,
    hooks: only('toolArguments'),
    operation: onlyValidates,
    /** The arguments that hold SQL; without them, those called sql, query or statement. */
    arguments: z.array(z.string().min(1)).min(1).default(['sql', 'query', 'statement']),
    dialect: z.enum(['postgresql', 'mysql', 'sqlite', 'transactsql', 'bigquery']).default('postgresql'),
    /** Nothing but what reads. */
    readOnly: z.boolean().default(false),
  }),
  z.strictObject({
    kind: z.literal('webhook'),
    ...common,
    operation,
    url: addressSchema,
    allowPrivateAddress: z.boolean().default(false),
    headers: z.record(z.string().min(1), z.string()).default({}),
    /** Signs what is sent: a reference. */
    secret: z.string().min(1).optional(),
    /** Sent along as it is. */
    config: z.record(z.string(), z.json()).default({}),
  }),
  z.strictObject({
    kind: z.literal('moderation'),
    ...common,
    operation: onlyValidates,
    /** A reference. */
    apiKey: z.string().min(1),
    baseUrl: addressSchema.default('https://api.openai.com/v1'),
    allowPrivateAddress: z.boolean().default(false),
    model: z.string().min(1).default('omni-moderation-latest'),
    /** Scores from which a category is refused; without any, what the service flags. */
    thresholds: z.record(z.string(), z.number().min(0).max(1)).default({}),
  }),
]);
export type GuardrailConfig = z.infer<typeof guardrailSchema>;
