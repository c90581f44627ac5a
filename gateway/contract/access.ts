import * as z from 'zod';

/**
 * `POST /api/v1/access/explain`: may this principal do that, and by which rule? Name a `server` (and a `tool` of it), a
 * `model`, or a `group`. For administrators, and for who manages the server's group.
 */
export const explainRequestSchema = z
  .strictObject({
    /** `user:ID` or `serviceaccount:NAME`; who asks, by default. */
    subject: z
      .string()
      .regex(/^(?:user|serviceaccount):[^\s:]+$/, 'name a subject: user:ID or serviceaccount:NAME')
      .optional(),
    /** Teams that an issuer's token would claim, beside those of the configuration. */
    teams: z.array(z.string().min(1)).max(100).default([]),
    /** The id of a token: what it is narrowed to counts then, and its subject. */
    token: z.string().min(1).optional(),
    /** `tenant:group:server`, `group:server`, or `server`. */
    server: z.string().min(1).optional(),
    tool: z.string().min(1).optional(),
    arguments: z.record(z.string(), z.unknown()).optional(),
    /** `provider/model` or an alias: the target itself, or with a tool the model that asks for the call. */
    model: z.string().min(1).optional(),
    group: z.string().min(1).optional(),
    /** Ask whether the group, or without one the gateway, may be managed. */
    manage: z.boolean().default(false),
  })
  .check(({ value, issues }) => {
    const issue = (path: string, message: string): void => {
      issues.push({ code: 'custom', input: value, path: [path], message });
    };
    const { server, tool, model, group, manage, subject, token } = value;
    if (server === undefined && tool !== undefined) issue('tool', 'name the server of the tool too');
    if (tool === undefined && value.arguments !== undefined) issue('arguments', 'name the tool they are for');
    if (server === undefined && model === undefined && group === undefined && !manage)
      issue('server', 'name a server, a model or a group to ask about');
    if (server !== undefined && (group !== undefined || manage))
      issue('group', 'ask about a server or about a group');
    if (subject !== undefined && token !== undefined) issue('token', 'give a subject or a token, not both');
  });
export type ExplainRequest = z.input<typeof explainRequestSchema>;

/** One check on the way, in their order; the first that denies ends it. */
export const explainStepSchema = z.object({
  /** What was asked: `group`, `server`, `tool`, `call` … */
  check: z.enum(['gateway', 'group', 'server', 'tool', 'call', 'review', 'model']),
  effect: z.enum(['allow', 'deny']),
  /** A place in the configuration, or a built-in rule's name. */
  rule: z.string(),
  reason: z.string(),
});

export const explanationSchema = z.object({
  effect: z.enum(['allow', 'deny']),
  rule: z.string(),
  reason: z.string(),
  /** Of whom: with the teams that count. */
  principal: z.object({ subject: z.string(), teams: z.array(z.string()), administrator: z.boolean() }),
  target: z.string(),
  steps: z.array(explainStepSchema),
});
export type Explanation = z.infer<typeof explanationSchema>;
