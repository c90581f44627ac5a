import type { Principal } from '../identity/principal.ts';
import type { Listed, ServerEntry } from './entry.ts';

/**
 * What a principal may see of the catalog. Every listing and every search asks here, and here asks `decide()`,
 * so that what cannot be called is not listed.
 */
export interface Directory {
  /**
   * Resolves when it is known what each of these servers (all, by default) offers, from now or from before the
   * gateway's start, or when it has failed; at the latest a few seconds after the gateway's start. With `afresh`
   * what was known before the start does not count.
   */
  settled(serverIds?: readonly string[], options?: { readonly afresh: boolean }): Promise<void>;
  /** The servers the principal may see, in the order of the configuration. */
  servers(principal: Principal): readonly ServerEntry[];
  /**
   * A server by `tenant:group:server` (tenant or alias), `group:server`, or `server` where only one visible
   * server has that name. Undefined when there is none, or when the principal may not see it.
   */
  server(principal: Principal, name: string): ServerEntry | undefined;
  /** The tools of a server the principal may use, as they are shown; those that `model` may call where it is given. */
  tools(principal: Principal, entry: ServerEntry, model?: string): readonly Listed[];
  /** Why a tool that the principal may otherwise use is not shown; undefined when there is no such tool. */
  withheld(principal: Principal, entry: ServerEntry, tool: string): string | undefined;
}
