import * as z from 'zod';

/**
 * The messages between the extension and the gateway it forks, over Node's IPC channel. Secrets and the owner's
 * token travel here and nowhere else: never in arguments, the environment or a file.
 */

export const parentMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    configFile: z.string(),
    dataDir: z.string(),
    /** Wins over the configuration's `listen.port`; 0 takes any free port. */
    port: z.number().int().min(0).max(65535).optional(),
    /** A token that makes its bearer the owner while this process lives. Kept in memory only. */
    ownerToken: z.string().min(1),
    /** All that the parent keeps: values of `${secret:NAME}` references, and the gateway's own records. */
    secrets: z.record(z.string(), z.string()),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  }),
  z.object({ type: z.literal('stop') }),
  /** All that the parent keeps by now. */
  z.object({ type: z.literal('secrets'), secrets: z.record(z.string(), z.string()) }),
  /** The answer to `keep`; `error` says why it could not be kept. */
  z.object({ type: z.literal('kept'), id: z.number().int(), error: z.string().optional() }),
]);
export type ParentMessage = z.infer<typeof parentMessageSchema>;

export const childMessageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), address: z.string(), pid: z.number().int(), version: z.string() }),
  /** Asks the parent to keep a secret; null takes it away. Answered by `kept`. */
  z.object({ type: z.literal('keep'), id: z.number().int(), name: z.string(), value: z.string().nullable() }),
  /** The gateway cannot run; it exits with `exitCode` after this. */
  z.object({ type: z.literal('failed'), message: z.string(), exitCode: z.number().int() }),
]);
export type ChildMessage = z.infer<typeof childMessageSchema>;

/** Exit codes of the `toolgate` program. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
