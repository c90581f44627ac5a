import * as z from 'zod';

/** One difference between two configurations; values are JSON texts, written-out credentials masked. */
export const configChangeSchema = z.object({
  kind: z.enum(['added', 'removed', 'changed']),
  /** `.groups[common].servers[github].url` */
  path: z.string(),
  before: z.string().optional(),
  after: z.string().optional(),
});
export type ConfigChange = z.infer<typeof configChangeSchema>;

/** `GET /api/v1/config` */
export const configViewSchema = z.object({
  /** Of the text that is in force; a change names it, so that nobody's is lost. */
  revision: z.string(),
  /** The text that is in force. */
  text: z.string(),
  /** What is wrong with a later text that was put into the file, a line each; it is not in force. */
  problems: z.array(z.string()),
  /** Keys whose change waits for the next start. */
  restartNeeded: z.array(z.string()),
});
export type ConfigView = z.infer<typeof configViewSchema>;

/** What every change takes beside its own fields. */
export const changeFields = {
  /** The revision that the change is made to; without it, whatever is in force. */
  revision: z.string().optional(),
  /** Consents to run commands, by the hashes that a refusal named. */
  consents: z.array(z.string()).default([]),
};

/** The answer to every change; with `?dryRun=true` it tells what would be changed, and nothing is. */
export const configChangedSchema = z.object({
  revision: z.string(),
  dryRun: z.boolean(),
  changes: z.array(configChangeSchema),
  restartNeeded: z.array(z.string()),
});
export type ConfigChanged = z.infer<typeof configChangedSchema>;

const written = z.record(z.string(), z.unknown());
const namedWritten = z.looseObject({ name: z.string().min(1) });

/** `PUT /api/v1/config` */
export const putConfigSchema = z.strictObject({ text: z.string().max(4_000_000), ...changeFields });
/** `POST /api/v1/groups` */
export const addGroupSchema = z.strictObject({ group: namedWritten, ...changeFields });
/** `PATCH` of a group or a server: the keys to set, `null` to take one away. */
export const changesSchema = z.strictObject({ changes: written, ...changeFields });
/** `DELETE` of a group or a server. */
export const removeSchema = z.strictObject({ servers: z.boolean().default(false), ...changeFields });
/** `POST /api/v1/groups/{group}/servers` */
export const addServerSchema = z.strictObject({ server: namedWritten, ...changeFields });
/** `POST …/move` */
export const moveServerSchema = z.strictObject({ group: z.string().min(1), ...changeFields });
/** `POST …/promote`: `changes` are the copy's own, its credentials above all. */
export const promoteServerSchema = z.strictObject({
  group: z.string().min(1),
  changes: written.default({}),
  ...changeFields,
});

/**
 * `PUT …/tools/{tool}`: what holds for one tool, under a condition in CEL; `null` takes a denial back, and then whatever else was
 * said of it so.
 */
export const ruleToolSchema = z
  .strictObject({
    effect: z.enum(['allow', 'deny']).nullable(),
    when: z.string().min(1).max(2000).optional(),
    ...changeFields,
  })
  .refine(({ effect, when }) => effect !== null || when === undefined, {
    path: ['when'],
    message: 'says when an effect counts; give the effect, allow or deny',
  });

/** `POST /api/v1/servers/test` */
export const testServerSchema = z.strictObject({
  server: namedWritten,
  /** Values for `${secret:NAME}` that are not stored yet; used for this test alone. */
  secrets: z.record(z.string(), z.string()).default({}),
  consents: z.array(z.string()).default([]),
});

/** What a server that was tried offers, or why it could not be reached. */
export const testedServerSchema = z.discriminatedUnion('ok', [
  z.object({
    ok: z.literal(true),
    serverInfo: z.object({ name: z.string(), version: z.string() }),
    protocolVersion: z.string(),
    tools: z.array(z.string()),
    resources: z.number().int(),
    prompts: z.number().int(),
    /** Lists that could not be read to their end. */
    problems: z.array(z.string()),
    durationMs: z.number(),
  }),
  z.object({
    ok: z.literal(false),
    error: z.string(),
    stderrTail: z.array(z.string()),
    durationMs: z.number(),
  }),
]);
export type TestedServer = z.infer<typeof testedServerSchema>;

/** Beside a problem with `rule: "launch-consent"`: what would be run, and the hash that consents to it. */
export const launchSchema = z.object({
  consent: z.string(),
  command: z.string(),
  args: z.array(z.string()),
  /** Names only. */
  env: z.array(z.string()),
  cwd: z.string().nullable(),
});
export type LaunchView = z.infer<typeof launchSchema>;
