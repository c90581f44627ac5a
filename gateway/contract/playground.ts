import * as z from 'zod';

/**
 * The messages between the playground's page and its host in VS Code. Every request carries an id; replies and
 * stream events repeat it. In the web console the same page speaks to the gateway over HTTP instead.
 */

export const playgroundRequestSchema = z.discriminatedUnion('type', [
  /** The page is loaded; the host answers with a `state` message and sends another after each change. */
  z.object({ type: z.literal('ready') }),
  /** An HTTP request to the gateway: `path` is below the gateway's own address and on the host's list. */
  z.object({
    type: z.literal('request'),
    id: z.number().int(),
    method: z.enum(['GET', 'POST', 'PUT', 'DELETE']),
    path: z.string(),
    body: z.unknown().optional(),
  }),
  /** Starts an agent run; answered by `stream` messages and one `end`. */
  z.object({ type: z.literal('run'), id: z.number().int(), body: z.unknown() }),
  z.object({ type: z.literal('copy'), text: z.string() }),
  /** Opens an address of the gateway's own in the browser. */
  z.object({ type: z.literal('open'), url: z.string() }),
  z.object({ type: z.literal('command'), command: z.enum(['start', 'showLog', 'openConfig']) }),
]);
export type PlaygroundRequest = z.infer<typeof playgroundRequestSchema>;
export type PlaygroundMethod = Extract<PlaygroundRequest, { type: 'request' }>['method'];

export const gatewayStateSchema = z.object({
  status: z.enum(['stopped', 'starting', 'running', 'failed']),
  /** The gateway's base address, for the snippets; absent until it runs. */
  address: z.string().optional(),
  error: z.string().optional(),
});
export type GatewayState = z.infer<typeof gatewayStateSchema>;

export const playgroundMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('state'), state: gatewayStateSchema }),
  /** The registry changed: read it again. */
  z.object({ type: z.literal('registryChanged') }),
  z.object({
    type: z.literal('reply'),
    id: z.number().int(),
    /** HTTP status, or 0 when the gateway could not be reached (then `body` is a message). */
    status: z.number().int(),
    body: z.unknown(),
  }),
  /** One SSE event of a run: its name (`message` when unnamed) and its data, still text. */
  z.object({ type: z.literal('stream'), id: z.number().int(), event: z.string(), data: z.string() }),
  /** The stream is over; `error` when it broke or was refused. */
  z.object({ type: z.literal('end'), id: z.number().int(), error: z.string().optional() }),
]);
export type PlaygroundMessage = z.infer<typeof playgroundMessageSchema>;

/** The paths the page may ask its host for. */
export const PLAYGROUND_PATHS = [
  /^\/api\/v1\/registry$/,
  /^\/api\/v1\/credentials(?:\/[\w.-]+\/[\w.-]+(?:\/(?:authorize|renew))?)?$/,
  /^\/api\/v1\/approvals(?:\?status=pending|\/[\w-]+(?:\/(?:approve|deny))?)?$/,
  /^\/api\/v1\/approval-grants(?:\/[\w-]+)?$/,
  /^\/api\/v1\/limits$/,
  /^\/api\/llm\/models$/,
  /^\/api\/llm\/agent\/runs\/[\w-]+\/cancel$/,
] as const;
