import type { ServerConfig } from '../config/schema.ts';
import { connectServer, type ConnectDeps } from './connect.ts';
import type { Handshake } from './connection.ts';
import { discover, type Discovery } from './discover.ts';
import { UnavailableError } from './errors.ts';

export interface ProbeOptions {
  readonly resolve: (text: string) => string;
  readonly onStderr: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface Probed extends Discovery {
  readonly handshake: Handshake;
}

/** Connects to a server that is not registered, lists what it offers and lets go of it. Rejects when it cannot be reached. */
export async function probe(server: ServerConfig, deps: ConnectDeps, by: ProbeOptions): Promise<Probed> {
  if (server.auth.type === 'oauth2')
    throw new UnavailableError(
      'it wants a sign-in, which is for a server that is registered: it cannot be tried before',
    );
  const { resolve, onStderr, signal } = by;
  let lost: string | undefined;
  const connecting = AbortSignal.any([signal, AbortSignal.timeout(server.timeouts.connect)]);
  const connection = await connectServer(
    server,
    { ...deps, launch: { ...deps.launch, resolve } },
    {
      approach: { protocol: server.protocol, memory: {} },
      client: { version: deps.gatewayVersion, capabilities: {} },
      events: {
        onNotification: () => undefined,
        onRenewed: () => undefined,
        onWarning: () => undefined,
        onLost: (reason) => (lost = reason),
        onStderr,
      },
      signal: connecting,
    },
  );
  try {
    const found = await discover(connection, signal);
    if (lost !== undefined) throw new UnavailableError(lost);
    return { handshake: connection.handshake, ...found };
  } finally {
    await connection.close();
  }
}
