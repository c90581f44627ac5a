import type { Log } from '../telemetry/log.ts';
import type { Launch } from '../upstream/launch.ts';
import type { WrappedDeps, WrappedProcess } from './process.ts';

/** How a stdio server is to be served; times are milliseconds, sizes bytes. */
export interface WrapOptions {
  readonly launch: Launch;
  readonly host: string;
  readonly port: number;
  /** Where Streamable HTTP is served; undefined for not at all. */
  readonly streamPath: string | undefined;
  /** Where HTTP+SSE is served; undefined for not at all. */
  readonly ssePath: string | undefined;
  readonly apiKey: string | undefined;
  readonly stateless: boolean;
  readonly maxSessions: number;
  /** How long a session without stream and requests lives; 0 for ever. */
  readonly idleMs: number;
  readonly connectMs: number;
  readonly requestMs: number;
  readonly drainMs: number;
  readonly bodyLimit: number;
  readonly version: string;
  readonly log: Log;
}

/** What the routes share. */
export interface WrapParts {
  readonly options: WrapOptions;
  readonly start: (on: Pick<WrappedDeps, 'onMessage'>) => WrappedProcess;
  readonly closing: () => boolean;
  readonly now: () => number;
}
