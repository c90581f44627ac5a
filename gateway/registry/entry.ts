import type { MatchableTool } from '../access/match.ts';
import type { ServerConfig } from '../config/schema.ts';
import type { JsonObject } from '../contract/json.ts';
import type { ServerState } from '../contract/registry.ts';
import type { Pinned, ServerPins } from './pin.ts';

/** A tool, resource or prompt exactly as its server listed it, unknown fields included. */
export interface Listed extends JsonObject {
  readonly name: string;
}

/** What a server offers, drained through every page. */
export interface Capabilities {
  readonly tools: readonly Listed[];
  readonly resources: readonly Listed[];
  readonly templates: readonly Listed[];
  readonly prompts: readonly Listed[];
}

/** A tool as the gateway shows it, and what it stands for at its server. As a `MatchableTool` it is what rules see. */
export interface CatalogTool extends MatchableTool {
  /** As the server listed it. */
  readonly own: Listed;
  /** As it is shown, under the name it is called by. */
  readonly shown: Listed;
  /** Arguments that are always sent, and never taken from a caller. */
  readonly fixed: JsonObject;
  /** Arguments that are sent when the caller gives none. */
  readonly defaults: JsonObject;
  /** On a virtual server: the tool that was picked, and the server it is of. */
  readonly member?: { readonly serverId: string; readonly tool: CatalogTool };
}

/** Tools by the names they are called by. */
export interface ShownTools {
  readonly tools: ReadonlyMap<string, CatalogTool>;
  /** What an administrator should know, for instance two tools of one name. */
  readonly warnings: readonly string[];
}

/** What a server offers as the gateway shows it; `capabilities` holds the tools of `tools`, and accepted prompts only. */
export interface Offered extends ShownTools {
  readonly capabilities: Capabilities;
  readonly quarantined: Quarantined;
}

/** What a server offers and nobody has accepted: it is in no list, and a call of it says so. */
export interface Quarantined {
  /** By the names they would be called by. */
  readonly tools: ReadonlyMap<string, CatalogTool>;
  /** Names. */
  readonly prompts: ReadonlySet<string>;
}

/** What the gateway knows of a server's connection. */
export interface ServerStatus {
  readonly state: ServerState;
  readonly lastError?: string;
  /** What it waits for before it can be connected to. */
  readonly lacks?: 'consent' | 'values';
  readonly stderrTail: readonly string[];
  readonly serverInfo?: { readonly name: string; readonly version: string };
  readonly protocolVersion?: string;
  readonly instructions?: string;
  /** What an administrator should know of it, though it works. */
  readonly warnings?: readonly string[];
  /** The server's own capabilities as it declared them at `initialize`. */
  readonly declared: JsonObject;
  /** When it last listed all that it offers, in this run or an earlier one; ms since the epoch. */
  readonly listedAt?: number;
}

/** Whether a call would do: the server is there, or at rest until a call starts it. */
export function isAvailable({ state, lastError }: ServerStatus): boolean {
  return state === 'ready' || state === 'degraded' || (state === 'stopped' && lastError === undefined);
}

/** What a server last said of itself and listed, in full. It outlives the connection and the gateway's run. */
export interface KnownServer
  extends
    Pick<ServerStatus, 'declared' | 'instructions'>,
    Required<Pick<ServerStatus, 'serverInfo' | 'protocolVersion' | 'listedAt'>> {
  readonly capabilities: Capabilities;
  /** When it last kept silent or ended on being asked for its era; ms since the epoch. */
  readonly shyAt?: number;
}

/** A registered server: its configuration, what it offers and how it is. */
export interface ServerEntry extends Offered {
  /** `group:server`, unique. */
  readonly id: string;
  /** `tenant:group:server`. */
  readonly fqn: string;
  readonly group: string;
  readonly name: string;
  readonly config: ServerConfig;
  readonly pinned: Pinned;
  /** Undefined until it has listed something. */
  readonly pins: ServerPins | undefined;
  readonly status: ServerStatus;
}
