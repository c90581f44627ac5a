import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import type { Envelope } from '../pipeline/call.ts';
import { createAsks, type Asks } from './asks.ts';
import type { ModernSession } from './modern-session.ts';
import type { Scope, View } from './scope.ts';
import type { SessionConnection } from './session-connection.ts';
import { createStreams, type Streams } from './streams.ts';

/** A legacy-era session: bound to the token that opened it, as it was then, and to the address it was opened at. */
export interface Session {
  readonly id: string;
  readonly principal: Principal;
  readonly scope: Scope;
  readonly route: string;
  readonly protocolVersion: string;
  /** What the client has asked and not been answered yet, to be cancelled by its request id. */
  readonly inFlight: Map<string | number, AbortController>;
  /** What the client declared at `initialize`. */
  readonly capabilities: JsonObject;
  /** Who the client said it is. */
  readonly clientInfo?: JsonObject | undefined;
  readonly streams: Streams;
  /** What its server has asked the client. */
  readonly asks: Asks;
  /** At a server's own address: the session's own connection to it, where it needs one. */
  connection?: SessionConnection;
  /** Who a modern server is told is asking. */
  envelope?: Envelope;
  /** There, when the server is of the modern era: what the session has set at it. */
  modern?: ModernSession;
  /** The lists as the client last had reason to know them. */
  announced?: View['payloads'] | undefined;
  lastSeen: number;
}

/** What a session is opened with. */
export type Opening = Pick<
  Session,
  'principal' | 'scope' | 'route' | 'protocolVersion' | 'capabilities' | 'clientInfo'
> & {
  /** False where its client cannot resume streams, and so is to be told of nothing that helps to. */
  readonly resumable?: false;
};

export interface Sessions {
  /** Opens a session; undefined when there are too many, of all or of this caller, and none of those is idle. */
  open(opening: Opening): Session | undefined;
  /** The session of that id, if it belongs to this principal and this address. */
  find(id: string, principal: Principal, route: string): Session | undefined;
  /** Whether there is one of that id, whosever it is. */
  has(id: string): boolean;
  /** Ends a session with its stream, and cancels what it has in flight. */
  end(session: Session): void;
  all(): Iterable<Session>;
  close(): void;
}

const MAX_SESSIONS = 4_096;
/** Of one subject: whoever opens more takes from themselves first. */
const MAX_EACH = 1_024;
const IDLE_MS = 60 * 60_000;
const SWEEP_MS = 60_000;
/** The first revision whose clients know streams that begin with an empty event. */
const PRIMED_SINCE = '2025-11-25';

/**
 * Sessions in memory. Idle ones end after an hour; when full, the one idle longest makes room. `onEnd` is told of each
 * that ends, by its id.
 */
export function createSessions(now: () => number, onEnd: (id: string) => void): Sessions {
  const sessions = new Map<string, Session>();
  const budget = { used: 0 };
  const end = (session: Session): void => {
    sessions.delete(session.id);
    for (const controller of session.inFlight.values()) controller.abort();
    session.asks.close();
    session.streams.close();
    session.connection?.close();
    session.modern?.close();
    onEnd(session.id);
  };
  const idle = (session: Session): boolean => session.inFlight.size === 0 && !session.streams.listening();
  const sweep = setInterval(() => {
    for (const session of sessions.values())
      if (idle(session) && now() - session.lastSeen > IDLE_MS) end(session);
  }, SWEEP_MS).unref();

  return {
    open: ({ resumable, ...opening }) => {
      const { subject } = opening.principal;
      const all = sessions.size < MAX_EACH ? [] : [...sessions.values()];
      const own = all.filter(({ principal }) => principal.subject === subject);
      if (own.length >= MAX_EACH || all.length >= MAX_SESSIONS) {
        const those = own.length >= MAX_EACH ? own : all;
        const oldest = those.filter(idle).sort((a, b) => a.lastSeen - b.lastSeen)[0];
        if (oldest === undefined) return undefined;
        end(oldest);
      }
      const session: Session = {
        id: randomBytes(24).toString('base64url'),
        ...opening,
        inFlight: new Map(),
        streams: createStreams(budget, resumable !== false && opening.protocolVersion >= PRIMED_SINCE),
        asks: createAsks(),
        lastSeen: now(),
      };
      sessions.set(session.id, session);
      return session;
    },
    find: (id, principal, route) => {
      const session = sessions.get(id);
      if (session?.principal !== principal || session.route !== route) return undefined;
      session.lastSeen = now();
      return session;
    },
    has: (id) => sessions.has(id),
    end,
    all: () => sessions.values(),
    close: () => {
      clearInterval(sweep);
      for (const session of [...sessions.values()]) end(session);
    },
  };
}
