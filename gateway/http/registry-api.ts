import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import type { Config } from '../config/schema.ts';
import type { RegistryServerResponse } from '../contract/registry-api.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { ServerEntry } from '../registry/entry.ts';
import { SEPARATOR } from '../registry/names.ts';
import type { OwnAddress } from './own-address.ts';
import type { Perimeter } from './perimeter.ts';
import { sendJsonText } from './respond.ts';

export interface RegistryApiDeps {
  readonly perimeter: Perimeter;
  readonly address: OwnAddress;
  readonly catalog: Catalog;
  readonly config: () => Config;
  readonly now: () => number;
}

const SCHEMA = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json';
/** A registration has no versions; clients want one. */
const VERSION = '1.0.0';
const LONGEST_DESCRIPTION = 100;

const querySchema = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(30),
  cursor: z.string().max(400).optional(),
  search: z.string().max(200).optional(),
  version: z.string().optional(),
  updated_since: z.iso.datetime({ offset: true }).optional(),
});

/**
 * `/v0.1/servers`: the registered servers in the shape of the MCP Registry API, read-only, for clients' registry
 * settings. Each points at its own address here. Needs a token unless the configuration makes it public.
 */
export function createRegistryApi(
  deps: RegistryApiDeps,
): (req: IncomingMessage, res: ServerResponse, path: string) => Promise<boolean> {
  const since = new Date(deps.now()).toISOString();
  return async (req, res, path) => {
    if (!path.startsWith('/v0.1/')) return false;
    const { registry } = deps.config();
    if (req.method === 'OPTIONS') {
      res.writeHead(204, {
        ...CORS,
        'access-control-allow-methods': 'GET',
        'access-control-allow-headers': '*',
      });
      res.end();
      return true;
    }
    if (req.method !== 'GET') {
      answer(res, 405, { error: 'this registry is read-only' });
      return true;
    }
    const entries = await visible(deps, req, res, registry.public);
    if (entries === undefined) return true;
    const origin = deps.address.originOf(req);
    const offered = entries
      .filter(({ config, status }) => !config.disabled && !(status.state === 'stopped' && status.lastError))
      .map((entry) => describe(entry, registry.namespace, origin, since))
      .sort((a, b) => (a.server.name < b.server.name ? -1 : 1));
    const [, encoded, rest] = /^\/v0\.1\/servers(?:\/([^/]+)\/versions(?:\/([^/]+))?)?$/.exec(path) ?? [
      undefined,
    ];
    if (path !== '/v0.1/servers' && encoded === undefined)
      answer(res, 404, { error: `there is nothing at ${path}` });
    else if (encoded === undefined) list(res, offered, new URL(req.url ?? '/', origin).searchParams, since);
    else one(res, offered, encoded, rest);
    return true;
  };
}

async function visible(
  { perimeter, catalog, config }: RegistryApiDeps,
  req: IncomingMessage,
  res: ServerResponse,
  isPublic: boolean,
): Promise<readonly ServerEntry[] | undefined> {
  if (isPublic && req.headers.authorization === undefined) {
    const open = config().groups.filter(({ access }) => access.use.includes('everyone'));
    return catalog.entries().filter(({ group, config: server }) => {
      const narrowed = server.access !== undefined && !server.access.use.includes('everyone');
      return !narrowed && open.some(({ name }) => name === group);
    });
  }
  const principal = await perimeter.identify(req, res);
  return principal && catalog.servers(principal);
}

function list(
  res: ServerResponse,
  offered: readonly RegistryServerResponse[],
  query: URLSearchParams,
  since: string,
): void {
  const parsed = querySchema.safeParse(Object.fromEntries(query));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    answer(res, 400, { error: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is not valid'}` });
    return;
  }
  const { limit, cursor, search, version, updated_since: updatedSince } = parsed.data;
  const after = cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString();
  const words = search?.toLowerCase() ?? '';
  const found = offered.filter(
    ({ server }) =>
      server.name > after &&
      `${server.name}\n${server.title ?? ''}`.toLowerCase().includes(words) &&
      (version === undefined || version === 'latest' || version === VERSION) &&
      (updatedSince === undefined || Date.parse(since) >= Date.parse(updatedSince)),
  );
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1)?.server.name : undefined;
  const nextCursor = last === undefined ? {} : { nextCursor: Buffer.from(last).toString('base64url') };
  answer(res, 200, { servers: page, metadata: { ...nextCursor, count: page.length } });
}

function one(
  res: ServerResponse,
  offered: readonly RegistryServerResponse[],
  encoded: string,
  version: string | undefined,
): void {
  const name = decoded(encoded);
  const found = offered.find(({ server }) => server.name === name);
  if (found === undefined) answer(res, 404, { error: 'Server not found' });
  else if (version === undefined) answer(res, 200, { servers: [found], metadata: { count: 1 } });
  else if (version === 'latest' || decoded(version) === VERSION) answer(res, 200, found);
  else answer(res, 404, { error: 'Server version not found' });
}

function describe(
  { group, name, config }: ServerEntry,
  namespace: string,
  origin: string,
  since: string,
): RegistryServerResponse {
  const about = config.description?.trim() ?? '';
  const description = about === '' ? `${name} of ${group}, through Toolgate` : about;
  const token = { description: 'A Toolgate token: tg_pat_…', isRequired: true, isSecret: true };
  return {
    server: {
      $schema: SCHEMA,
      name: `${namespace}/${group}${SEPARATOR}${name}`,
      title: name,
      description:
        description.length > LONGEST_DESCRIPTION
          ? `${description.slice(0, LONGEST_DESCRIPTION - 1)}…`
          : description,
      version: VERSION,
      remotes: [
        {
          type: 'streamable-http',
          url: `${origin}/mcp/${encodeURIComponent(group)}/${encodeURIComponent(name)}`,
          headers: [
            {
              name: 'Authorization',
              description: 'The token of the gateway',
              value: 'Bearer {token}',
              isRequired: true,
              isSecret: true,
              variables: { token },
            },
          ],
        },
      ],
    },
    _meta: {
      'io.modelcontextprotocol.registry/official': {
        status: 'active',
        statusChangedAt: since,
        publishedAt: since,
        updatedAt: since,
        isLatest: true,
      },
    },
  };
}

const CORS = { 'access-control-allow-origin': '*' };

function answer(res: ServerResponse, status: number, body: unknown): void {
  sendJsonText(res, status, JSON.stringify(body), CORS);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
