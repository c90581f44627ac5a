import { setTimeout as sleep } from 'node:timers/promises';
import { startChild } from './child.ts';
import type { Connection } from './connection.ts';
import { UnavailableError } from './errors.ts';
import type { Launch } from './launch.ts';
import type { Reaper } from './reaper.ts';
import type { HttpDeps } from './streamable-http.ts';

/** Connects over the transport that the server speaks. */
export type Connect = (deps: HttpDeps) => Promise<Connection>;

const KNOCK_MS = 50;

/**
 * Runs a server that listens on its own address (`command` with `url`) and connects to it as soon as it
 * answers. The process belongs to the connection: when one ends, so does the other.
 */
export async function connectOwnedHttp(
  deps: HttpDeps & { readonly launch: Launch; readonly reaper: Reaper; readonly connect: Connect },
): Promise<Connection> {
  const child = startChild(deps.launch, deps.reaper, deps.events.onStderr);
  // Nobody reads what such a server prints, and a full pipe would stop it.
  child.stdout.resume();
  let how: string | undefined;
  let closing = false;
  const gone = child.gone.then((words) => {
    how ??= `the server's process ${words}`;
    if (!closing) deps.events.onLost(how);
  });
  const onLost = (reason: string): void => {
    how = reason;
    void child.stop({ byInput: false });
  };
  try {
    const connection = await knock(deps.connect, { ...deps, events: { ...deps.events, onLost } }, () => how);
    // What has no process any more is not asked again.
    void gone.then(() => connection.close());
    return {
      get era() {
        return connection.era;
      },
      get handshake() {
        return connection.handshake;
      },
      request: (method, params, options) => connection.request(method, params, options),
      notify: (method, params) => connection.notify(method, params),
      close: async () => {
        closing = true;
        await connection.close();
        await child.stop({ byInput: false });
        await gone;
      },
    };
  } catch (error) {
    closing = true;
    await child.stop({ byInput: false });
    throw error;
  }
}

async function knock(connect: Connect, deps: HttpDeps, gone: () => string | undefined): Promise<Connection> {
  for (;;) {
    try {
      return await connect(deps);
    } catch (error) {
      const how = gone();
      if (how !== undefined) throw new UnavailableError(how);
      if (deps.signal.aborted) throw error;
    }
    await sleep(KNOCK_MS);
  }
}
