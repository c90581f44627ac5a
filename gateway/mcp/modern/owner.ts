import { speaksMcp } from '../../config/server-kind.ts';
import type { JsonObject } from '../../contract/json.ts';
import type { Principal } from '../../identity/principal.ts';
import type { Catalog } from '../../registry/catalog.ts';
import { eraOf } from '../../upstream/connection.ts';
import type { Scope, Views } from '../scope.ts';
import type { Owner } from './pool.ts';

/** A caller at an address. */
export interface Caller {
  readonly principal: Principal;
  readonly scope: Scope;
}

/**
 * Who a connection of the caller's own to a server would belong to. Undefined where none is to be had: the server
 * is not the caller's to know of, is virtual or an HTTP API, or is of the modern era, which one connection serves for all.
 */
export type OwnerOf = (caller: Caller, serverId: string, capabilities: JsonObject) => Owner | undefined;

export function createOwnerOf(deps: {
  readonly views: Views;
  readonly catalog: Pick<Catalog, 'entry'>;
  readonly holds: (principal: Principal) => boolean;
}): OwnerOf {
  const { views, catalog, holds } = deps;
  return ({ principal, scope }, serverId, capabilities) => {
    const entry = catalog.entry(serverId);
    if (entry === undefined || !speaksMcp(entry.config)) return undefined;
    if (eraOf(entry.status.protocolVersion) === 'modern') return undefined;
    const permitted = (): boolean =>
      holds(principal) && views(principal, scope)?.entries.some(({ id }) => id === serverId) === true;
    return permitted() ? { principal, serverId, capabilities, permitted } : undefined;
  };
}

/** The server whose own address a caller is at. */
export function ownServer({ scope }: Caller): string | undefined {
  return scope.kind === 'server' && scope.discovery !== true ? `${scope.group}:${scope.server}` : undefined;
}
