import type { Target } from './sessions.ts';

export const TRANSPORTS = ['stdio', 'http'] as const;
/** How the upstream is reached: as a child process, or over Streamable HTTP. */
export type Transport = (typeof TRANSPORTS)[number];

export const PATH_NAMES = [
  'direct',
  'pass-through',
  'toolgate',
  'sdk proxy',
  'mcp-proxy',
  'supergateway',
] as const;
/** What is between the load generator and the upstream. */
export type PathName = (typeof PATH_NAMES)[number];

/** One way to the upstream, ready to be called. */
export interface Path {
  readonly transport: Transport;
  readonly name: PathName;
  readonly target: Target;
  /** The proxy's process; a direct path has none. */
  readonly pid?: number;
  /** Loads of more sessions leave this path out. */
  readonly maxSessions?: number;
}
