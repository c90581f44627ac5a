import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { Envelope, OwnConnection, Requests } from '../../pipeline/call.ts';
import { JsonRpcError } from '../../upstream/errors.ts';
import { CODES } from '../jsonrpc.ts';
import type { Owner, PooledConnection } from './pool.ts';
import type { Route } from '../relay.ts';
import type { Round, ParkedCall, Parking } from './parking.ts';
import { LOG_LEVELS } from './request.ts';

/** The connection that a call takes, and whether the call came to be parked on it. */
export interface Talk {
  readonly own: OwnConnection;
  /** Once a result has come that asks for input: the call that waits for it, if one does. */
  parked(): ParkedCall | undefined;
  /** Lets go of what was held for the call; one that is parked keeps its connection. */
  end(): void;
}

type Notify = Round['notify'];

/** A call of a legacy server on a connection of the caller's own, begun now or resumed. */
export function talkOwn(
  parking: Parking,
  pooled: PooledConnection,
  { principal, capabilities }: Owner,
  envelope: Envelope,
  notify: Notify,
  resumed?: ParkedCall,
): Talk {
  let call = resumed;
  const letGo = pooled.hold();
  const idle = pooled.connection.during(NOWHERE);
  const begin = (method: string, params: JsonObject, progress: boolean): ParkedCall => {
    const owner = { tokenId: principal.tokenId, capabilities };
    const begun = parking.begin(owner, async ({ signal, route, onProgress }) => {
      const requests = await pooled.connection.during(route).ready();
      await raiseLogLevel(pooled, requests, envelope.logLevel, signal);
      return requests.request(method, params, { signal, envelope, ...(progress && { onProgress }) });
    });
    pooled.carry(begun);
    return begun;
  };
  const request: Requests['request'] = async (method, params, { signal, onProgress }) => {
    const { inputResponses, requestState: _state, ...plain } = params;
    if (resumed !== undefined && isJsonObject(inputResponses)) resumed.answer(inputResponses);
    call ??= begin(method, plain, onProgress !== undefined);
    return call.attend({ signal, onProgress, notify });
  };
  return {
    end: letGo,
    parked: () => (call?.waiting === true ? call : undefined),
    own: {
      // The time of a round ends when the server asks.
      waiting: () => false,
      offered: idle.offered,
      ready: async () => {
        if (resumed === undefined) await idle.ready();
        return { request };
      },
    },
  };
}

/** Takes nothing. */
export const NOWHERE: Route = {
  deliver: () => undefined,
  announce: () => undefined,
  ask: () => Promise.reject(new JsonRpcError(CODES.refused, 'nobody can be asked')),
};

/** A legacy server has one level a connection; each caller then sees what its own level lets through. */
async function raiseLogLevel(
  pooled: PooledConnection,
  requests: Requests,
  level: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const wanted = LOG_LEVELS.indexOf(level);
  if (wanted < 0 || (pooled.logLevel !== undefined && pooled.logLevel <= wanted)) return;
  pooled.logLevel = wanted;
  // A server without a level logs what it wants.
  await requests.request('logging/setLevel', { level }, { signal }).catch(() => undefined);
}
