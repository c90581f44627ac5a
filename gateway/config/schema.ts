import * as z from 'zod';
import { addressSchema, documentSchema } from './address.ts';
import { oauthSchema } from './oauth.ts';
import { placeholdersIn } from './placeholders.ts';
import { kindIssues } from './server-kind.ts';
import { listenSchema } from './listen.ts';
import { priceSchema } from './policies/limits.ts';
import { groupApprovalSchema } from './policies/approvals.ts';
import { policiesSchema } from './policies/policies.ts';
import { anyoneSchema, granteeSchema, subjectIssues, subjectsSchema } from './subjects.ts';
import { effectSchema, matchSchema, renameCollisions, toolRuleSchema } from './tool-rules.ts';
import { durationSchema, timeoutSchema } from './units.ts';
import { pickSchema, virtualIssues } from './virtual.ts';

/**
 * The language of `toolgate.yaml`, whole. Keys are camelCase; every object is strict, so that a mistyped key is
 * an error and never silently without effect. Strings may hold references (see `references.ts`); they are kept
 * as written here and resolved where they are used.
 */

/** Names take part in addresses (`tenant:group:server`) and tool names (`server__tool`). */
const nameSchema = z
  .string()
  .min(1)
  .max(40)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/, 'use letters, digits and . _ - between them')
  .refine((name) => !name.includes('__'), 'must not contain "__", which separates server and tool');

const authSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z
    .strictObject({
      type: z.literal('header'),
      /** `{{NAME}}` stands for what each person fills in, where `perUser` says so. */
      headers: z.record(z.string().min(1), z.string()),
      perUser: z.boolean().default(false),
    })
    .check((context) => {
      const { headers, perUser } = context.value;
      const placeholders = Object.values(headers).flatMap(placeholdersIn);
      if (perUser === placeholders.length > 0) return;
      const message = perUser
        ? 'needs a {{NAME}} in a header, which each person fills in'
        : `set perUser: true, so that each person fills in {{${placeholders[0] ?? ''}}}`;
      context.issues.push({ code: 'custom', input: context.value, path: ['perUser'], message });
    }),
  oauthSchema,
]);

/** When a server's process runs, and who shares it. */
const processSchema = z.strictObject({
  start: z.enum(['always', 'on-demand']).optional(),
  /** `never`, or for how long it may be unused. */
  idleStop: z
    .union([z.literal('never'), timeoutSchema], 'write never, or a duration of at most a day: 30s, 15m, 2h')
    .optional(),
  isolation: z.enum(['shared', 'session', 'user']).default('shared'),
});

const timeoutsSchema = z
  .strictObject({
    connect: timeoutSchema.default(10_000),
    /** The whole of a call, with all its tries. */
    call: timeoutSchema.default(60_000),
    /** Until the first progress or the answer. */
    firstByte: timeoutSchema.optional(),
    /** Between two signs of progress. */
    idle: timeoutSchema.optional(),
  })
  .prefault({});

/** `review`: it waits until somebody has accepted it. `trust`: it is accepted as it comes. */
const pinsSchema = z.enum(['review', 'trust']);

export const serverSchema = z
  .strictObject({
    name: nameSchema,
    description: z.string().optional(),
    tags: z.array(z.string()).default([]),
    /** Where an HTTP server listens. With `command` too, the gateway runs that command and owns it. */
    url: addressSchema.optional(),
    /** What is spoken at `url`; `sse` is the HTTP+SSE transport of MCP 2024-11-05. */
    transport: z.enum(['streamable-http', 'sse']).optional(),
    command: z.string().min(1).optional(),
    args: z.array(z.string()).default([]),
    env: z.record(z.string(), z.string()).default({}),
    /** Relative to the configuration file's folder, which is the default. */
    cwd: z.string().optional(),
    /** An HTTP API whose operations are the tools: the address or file of its OpenAPI document. */
    openapi: documentSchema.optional(),
    /** What the paths of the document come after. */
    baseUrl: addressSchema.optional(),
    /** In place of a server of its own: tools of others. */
    virtual: z.array(pickSchema).min(1, 'pick tools of at least one server').optional(),
    auth: authSchema.default({ type: 'none' }),
    /** Narrows whom the group is open to. */
    access: z.strictObject({ use: z.array(anyoneSchema) }).optional(),
    /** Consent to reach this server on a loopback, private or link-local address. */
    allowPrivateAddress: z.boolean().default(false),
    timeouts: timeoutsSchema,
    process: processSchema.optional(),
    /** The era to speak; found out by asking the server when `auto`. */
    protocol: z.enum(['auto', 'legacy', 'modern']).default('auto'),
    tools: z.array(toolRuleSchema).default([]),
    /** What holds for a tool that no rule in `tools` matches. */
    unlistedTools: effectSchema.default('allow'),
    /** What becomes of a definition that changes after its approval; the group's by default. */
    pins: pinsSchema.optional(),
    disabled: z.boolean().default(false),
  })
  .check((context) => {
    const issue = (path: string, message: string): void => {
      context.issues.push({ code: 'custom', input: context.value, path: [path], message });
    };
    for (const { index, message } of renameCollisions(context.value.tools)) {
      context.issues.push({
        code: 'custom',
        input: context.value,
        path: ['tools', index, 'rename'],
        message,
      });
    }
    for (const { key, message } of kindIssues(context.value)) issue(key, message);
  });
export type ServerConfig = z.infer<typeof serverSchema>;

/** Who may do what with a group. Administrators may do all of it. */
const accessSchema = z.strictObject({
  /** May see and call its servers. */
  use: z.array(anyoneSchema).default([]),
  /** May also change its servers, within limits. */
  manage: z.array(granteeSchema).default([]),
});
export type GroupAccess = z.infer<typeof accessSchema>;

export const groupSchema = z.strictObject({
  name: nameSchema,
  description: z.string().optional(),
  environment: z.string().optional(),
  /** Nobody but administrators may use a group that names nobody. */
  access: accessSchema.prefault({}),
  pins: pinsSchema.default('review'),
  /** Calls that somebody has to approve first. */
  approvals: z.array(groupApprovalSchema).default([]),
  servers: z.array(serverSchema).default([]),
});
export type GroupConfig = z.infer<typeof groupSchema>;

export const providerSchema = z
  .strictObject({
    name: nameSchema,
    type: z.enum(['openai', 'openai-compatible', 'demo']),
    baseUrl: addressSchema.optional(),
    apiKey: z.string().min(1).optional(),
    /** The models on offer; asked of the provider when left out. */
    models: z.array(z.string().min(1)).optional(),
    allowPrivateAddress: z.boolean().default(false),
  })
  .check((context) => {
    const { type, baseUrl, apiKey, models } = context.value;
    const issue = (path: string, message: string): void => {
      context.issues.push({ code: 'custom', input: context.value, path: [path], message });
    };
    if (type === 'openai-compatible' && baseUrl === undefined)
      issue('baseUrl', 'openai-compatible needs a baseUrl');
    if (type !== 'demo') return;
    for (const [key, value] of Object.entries({ baseUrl, apiKey, models })) {
      if (value !== undefined) issue(key, 'the demo provider takes none');
    }
  });
export type ProviderConfig = z.infer<typeof providerSchema>;

const modelAccessSchema = z.strictObject({
  /** `provider/model`, with globs. */
  models: z.array(z.string().min(1)).min(1),
  use: z.array(anyoneSchema).default([]),
  /** In an agent's run these models call no other tools: `group:server:tool` with globs, or selectors. */
  tools: z.array(matchSchema).optional(),
});

const modelsSchema = z.strictObject({
  providers: z.array(providerSchema).default([]),
  /** A short name for `provider/model`. */
  aliases: z.record(z.string(), z.string()).default({}),
  /** Where the prices that are known do not fit. */
  prices: z.array(priceSchema).default([]),
  /** Who may use which models, and what those may call. A model that no entry names is for administrators. */
  access: z.array(modelAccessSchema).default([]),
});

const registrySchema = z.strictObject({
  /** Names and descriptions are shown to whoever asks, without a token. */
  public: z.boolean().default(false),
  /** What the servers' names begin with there: a domain, the other way round. */
  namespace: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+$/, 'write a domain the other way round, such as com.example')
    .default('local.toolgate'),
});

export const configSchema = z
  .strictObject({
    version: z.literal(1),
    tenant: z
      .strictObject({ name: nameSchema, aliases: z.array(nameSchema).default([]) })
      .prefault({ name: 'toolgate' }),
    listen: listenSchema.prefault({}),
    /** Relative to the configuration file's folder. */
    storage: z.strictObject({ data: z.string().min(1).default('./data') }).prefault({}),
    subjects: subjectsSchema.prefault({}),
    groups: z.array(groupSchema).default([]),
    /** What `/v0.1/servers` shows of it to other programs. */
    registry: registrySchema.prefault({}),
    models: modelsSchema.prefault({}),
    policies: policiesSchema.prefault({}),
    telemetry: z.strictObject({ retention: durationSchema.default(30 * 86_400_000) }).prefault({}),
  })
  .check((context) => {
    const { groups, models, tenant, subjects } = context.value;
    const duplicates = (path: (string | number)[], names: string[], taken?: string): void => {
      names.forEach((name, index) => {
        if (names.indexOf(name) === index && name !== taken) return;
        context.issues.push({
          code: 'custom',
          input: context.value,
          path: [...path, index],
          message: `the name "${name}" is taken; names must be unique here`,
        });
      });
    };
    duplicates(
      ['groups'],
      groups.map((group) => group.name),
    );
    groups.forEach((group, index) => {
      duplicates(
        ['groups', index, 'servers'],
        group.servers.map((server) => server.name),
      );
    });
    for (const { path, message } of [...virtualIssues(groups), ...subjectIssues(subjects)])
      context.issues.push({ code: 'custom', input: context.value, path, message });
    duplicates(
      ['models', 'providers'],
      models.providers.map((provider) => provider.name),
    );
    duplicates(['tenant', 'aliases'], tenant.aliases, tenant.name);
  });

/** The configuration with defaults filled in; durations are milliseconds. References are still references. */
export type Config = z.infer<typeof configSchema>;
