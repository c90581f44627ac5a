import { resolve } from 'node:path';
import type { ServerConfig } from '../config/schema.ts';
import type { Authorizer } from './authorized.ts';
import type { ClientDescription, Connection, ConnectionEvents } from './connection.ts';
import type { Dispatchers } from './dispatcher.ts';
import { prepareLaunch, type LaunchContext } from './launch.ts';
import type { Approach } from './negotiation.ts';
import { connectOpenapi } from './openapi/connect.ts';
import { isAddress } from './openapi/document.ts';
import { connectOwnedHttp, type Connect } from './owned-http.ts';
import type { Reaper } from './reaper.ts';
import { redacted, redactErrors, redactEvents, type Redact } from './redacted.ts';
import { connectSse } from './sse.ts';
import { connectStdio } from './stdio.ts';
import { connectHttp, type HttpDeps } from './streamable-http.ts';

/** What connecting takes, whichever way. */
export interface ConnectDeps {
  readonly launch: LaunchContext;
  readonly dispatchers: Dispatchers;
  readonly reaper: Reaper;
  readonly gatewayVersion: string;
  /** Gives the tokens of whom the connection is for, where the server wants any. */
  readonly authorizer?: Authorizer | undefined;
  /** Takes known secrets out of what a server prints and answers as an error. */
  readonly redact: Redact;
}

/** One attempt to connect. */
export interface Attempt {
  readonly approach: Approach;
  readonly client: ClientDescription;
  readonly events: ConnectionEvents;
  readonly signal: AbortSignal;
}

/**
 * Connects to a server in the way it is registered, running its process where it is ours. What it says of itself
 * holds no secret that it was given: neither its standard error, nor its end, nor its errors.
 */
export function connectServer(
  server: ServerConfig,
  deps: ConnectDeps,
  attempt: Attempt,
): Promise<Connection> {
  return withoutSecrets(deps.redact, attempt, (cleaned) => connectAsRegistered(server, deps, cleaned));
}

/** A further session of a server at `url`, whose process, if it is ours, runs already. As `connectServer`. */
export function connectSession(
  server: ServerConfig,
  url: string,
  deps: ConnectDeps,
  attempt: Attempt,
): Promise<Connection> {
  return withoutSecrets(deps.redact, attempt, (cleaned) =>
    overHttp(server)(httpDeps(server, url, deps, cleaned)),
  );
}

async function withoutSecrets(
  redact: Redact,
  attempt: Attempt,
  connect: (attempt: Attempt) => Promise<Connection>,
): Promise<Connection> {
  try {
    const connection = await connect({ ...attempt, events: redactEvents(attempt.events, redact) });
    return redactErrors(connection, redact);
  } catch (error) {
    throw redacted(error, redact);
  }
}

async function connectAsRegistered(
  server: ServerConfig,
  deps: ConnectDeps,
  attempt: Attempt,
): Promise<Connection> {
  const { reaper, launch } = deps;
  if (server.openapi !== undefined) return overOpenapi(server, server.openapi, deps, attempt);
  if (server.url === undefined) {
    return connectStdio({ ...attempt, reaper, launch: await prepareLaunch(server, launch) });
  }
  const http = httpDeps(server, server.url, deps, attempt);
  return server.command === undefined
    ? overHttp(server)(http)
    : connectOwnedHttp({
        ...http,
        reaper,
        launch: await prepareLaunch(server, launch),
        connect: overHttp(server),
      });
}

function overHttp({ transport }: ServerConfig): Connect {
  return transport === 'sse' ? connectSse : connectHttp;
}

function overOpenapi(
  server: ServerConfig,
  document: string,
  deps: ConnectDeps,
  { signal }: Attempt,
): Promise<Connection> {
  return connectOpenapi({
    document: isAddress(document) ? document : resolve(deps.launch.folder, document),
    baseUrl: new URL(server.baseUrl ?? ''),
    headers: headersOf(server, deps),
    authorizer: deps.authorizer,
    dispatcher: deps.dispatchers.for(server.allowPrivateAddress),
    version: deps.gatewayVersion,
    signal,
  });
}

function httpDeps(server: ServerConfig, url: string, deps: ConnectDeps, attempt: Attempt): HttpDeps {
  return {
    ...attempt,
    url: new URL(url),
    headers: headersOf(server, deps),
    authorizer: deps.authorizer,
    dispatcher: deps.dispatchers.for(server.allowPrivateAddress),
  };
}

/** The headers of a server's credentials, references resolved. */
function headersOf({ auth }: ServerConfig, { launch }: ConnectDeps): Record<string, string> {
  const headers = auth.type === 'header' ? auth.headers : {};
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, launch.resolve(value)]));
}
