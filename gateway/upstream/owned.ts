import type { Connection, ConnectionEvents } from './connection.ts';
import { describeError, UnavailableError } from './errors.ts';

/** Connections that callers opened for themselves, beside the shared ones. */
export interface Owned {
  /** Rejects with an `UnavailableError` when there is no connection within `limitMs`, or on `close`. */
  open(
    events: ConnectionEvents,
    limitMs: number,
    connect: (events: ConnectionEvents, signal: AbortSignal) => Promise<Connection>,
  ): Promise<Connection>;
  /** Ends all of them, those that are still being opened included; their owners are told. */
  close(): Promise<void>;
}

const ENDED = 'the server was taken out of service';

/** Keeps track of such connections, so that none outlives the gateway. */
export function createOwned(): Owned {
  const open = new Map<Connection, (reason: string) => void>();
  const opening = new Set<Promise<unknown>>();
  const closing = new AbortController();

  const track = async (
    events: ConnectionEvents,
    limitMs: number,
    connect: (events: ConnectionEvents, signal: AbortSignal) => Promise<Connection>,
  ): Promise<Connection> => {
    const timeout = AbortSignal.timeout(limitMs);
    let tracked: Connection | undefined;
    let ended: Promise<void> | undefined;
    const forget = (): void => {
      if (tracked !== undefined) open.delete(tracked);
    };
    const onLost = (reason: string): void => {
      forget();
      events.onLost(reason);
    };
    try {
      closing.signal.throwIfAborted();
      const connection = await connect({ ...events, onLost }, AbortSignal.any([timeout, closing.signal]));
      tracked = {
        get era() {
          return connection.era;
        },
        get handshake() {
          return connection.handshake;
        },
        request: connection.request,
        notify: connection.notify,
        close: () => (ended ??= connection.close().finally(forget)),
      };
      open.set(tracked, events.onLost);
      return tracked;
    } catch (error) {
      const words = timeout.aborted ? `did not answer within ${limitMs / 1000} s` : describeError(error);
      throw new UnavailableError(words, { cause: error });
    }
  };
  return {
    open: (events, limitMs, connect) => {
      const attempt = track(events, limitMs, connect).finally(() => opening.delete(attempt));
      opening.add(attempt);
      return attempt;
    },
    close: async () => {
      closing.abort(new UnavailableError(ENDED));
      await Promise.allSettled(opening);
      const all = [...open];
      for (const [, onLost] of all) onLost(ENDED);
      await Promise.all(all.map(([connection]) => connection.close()));
    },
  };
}
