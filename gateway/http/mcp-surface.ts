import type { Principal } from '../identity/principal.ts';
import { createDispatch } from '../mcp/dispatch.ts';
import { withDiscovery } from '../mcp/discovery.ts';
import { withPaging } from '../mcp/paging.ts';
import type { KeptResults } from '../bounds/kept-results.ts';
import { createModernSessions } from '../mcp/modern-session.ts';
import { createModernDispatch } from '../mcp/modern/dispatch.ts';
import { createListeners } from '../mcp/modern/listen.ts';
import { createOwnerOf } from '../mcp/modern/owner.ts';
import { createParking } from '../mcp/modern/parking.ts';
import { createPayloads } from '../mcp/modern/payloads.ts';
import { createConnectionPool } from '../mcp/modern/pool.ts';
import { createRequestStates } from '../mcp/modern/request-state.ts';
import { createViews, type Views } from '../mcp/scope.ts';
import { createSessionConnections } from '../mcp/session-connection.ts';
import { createSessions } from '../mcp/sessions.ts';
import type { LookAside } from '../pipeline/asides.ts';
import type { Pipeline } from '../pipeline/call.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { Search } from '../registry/search.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { createLegacyMcp } from './mcp-legacy.ts';
import { createModernMcp } from './mcp-modern.ts';
import { createSseMcp } from './mcp-sse.ts';
import { createMcpRoutes } from './mcp.ts';
import type { AuthenticatedRoute } from './server.ts';

/** All that MCP clients reach: both eras over Streamable HTTP, and the HTTP+SSE transport. */
export interface McpSurface {
  readonly handle: AuthenticatedRoute;
  readonly handleSse: AuthenticatedRoute;
  /** What each address shows to each principal. */
  readonly views: Views;
  /** Whether a session of the legacy era is open under this id, whosever it is. */
  hasSession(id: string): boolean;
  close(): void;
}

export function createMcpSurface({
  catalog,
  upstreams,
  pipeline,
  search,
  holds,
  lookAside,
  kept,
  paging,
  secret,
  version,
  onSessionEnd,
  now,
}: {
  readonly catalog: Catalog;
  readonly upstreams: Upstreams;
  readonly pipeline: Pipeline;
  readonly search: Search;
  /** Results that are read page by page, and whether any rule asks for that. */
  readonly kept: KeptResults;
  readonly paging: () => boolean;
  readonly lookAside: LookAside;
  /** Whether a principal's token is still valid. */
  readonly holds: (principal: Principal) => boolean;
  /** What the key of request states is derived from. */
  readonly secret: Buffer;
  /** The gateway's. */
  readonly version: string;
  /** Told of each session of the legacy era that ends, by its id. */
  readonly onSessionEnd: (id: string) => void;
  readonly now: () => number;
}): McpSurface {
  const views = withDiscovery(withPaging(createViews(catalog), kept, paging), search);
  const connections = createSessionConnections({ upstreams, catalog, lookAside, now });
  const modernSession = createModernSessions(upstreams);
  const sessions = {
    views,
    catalog,
    sessions: createSessions(now, onSessionEnd),
    dispatch: createDispatch({ views, catalog, pipeline, connections, modernSession, lookAside, holds }),
    gatewayVersion: version,
  };
  const legacy = createLegacyMcp(sessions);
  const sse = createSseMcp(sessions);
  const pool = createConnectionPool({ connections, catalog, now });
  const parking = createParking();
  const towardsModern = {
    views,
    catalog,
    pipeline,
    pool,
    modernSession,
    lookAside,
    holds,
    ownerOf: createOwnerOf({ views, catalog, holds }),
    payloads: createPayloads(version),
  };
  const modern = createModernMcp({
    views,
    dispatch: createModernDispatch({
      ...towardsModern,
      parking,
      states: createRequestStates(secret, now),
      now,
    }),
    listeners: createListeners(towardsModern),
    close: () => {
      parking.close();
      pool.close();
    },
  });
  const mcp = createMcpRoutes(legacy, modern);
  return {
    handle: mcp.handle,
    handleSse: sse.handle,
    views,
    hasSession: sessions.sessions.has,
    close: () => {
      sse.close();
      mcp.close();
    },
  };
}
