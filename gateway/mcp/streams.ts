/** One HTTP response that carries events. */
export interface Outlet {
  /** Writes part of an event stream, and starts it with the first. Without effect when the client has gone. */
  write(text: string): void;
  end(): void;
}

/** One event stream of a session. It may outlive its HTTP response, and be resumed on another. */
export interface Stream {
  /** Sends one JSON-RPC message. False when the stream has ended. */
  send(message: string): boolean;
  /** Sends the last message and ends the stream. */
  finish(message: string): void;
  /** Starts the response, so that it can be resumed from here on. */
  open(): void;
  /** Forgets the stream and leaves its response alone. */
  drop(): void;
}

/** The event streams of one session (MCP 2025-11-25, Transports, Resumability and Redelivery). */
export interface Streams {
  /** The stream of one request's answer. */
  answer(outlet: Outlet): Stream;
  /** The stream of what belongs to no request; a new outlet takes the place of the old. */
  listen(outlet: Outlet): void;
  /**
   * Sends what came on a stream after the event of this id, and what is still to come on it. False when the id is
   * not one of this session's streams, or too old.
   */
  resume(lastEventId: string, outlet: Outlet): boolean;
  /** An outlet's response has gone; its stream waits to be resumed. */
  gone(outlet: Outlet): void;
  /** True while a client listens to what belongs to no request. */
  listening(): boolean;
  /** Sends on the newest request's stream that is still open, else to the listener. False when there is neither. */
  deliver(message: string): boolean;
  /** Sends to the listener, else on the newest open stream of a request. False when there is neither. */
  announce(message: string): boolean;
  close(): void;
}

/** Bytes that all sessions of a gateway keep for resumption. */
export interface ReplayBudget {
  used: number;
}

/** What one session keeps at most, in events and in characters; a longer message is not kept at all. */
const MAX_KEPT = 256;
const MAX_KEPT_SIZE = 1024 * 1024;
const MAX_KEPT_OVERALL = 64 * 1024 * 1024;
const RETRY_MS = 1_000;
const LISTENER = 0;

interface Track {
  readonly id: number;
  sequence: number;
  outlet: Outlet | undefined;
  primed: boolean;
  ended: boolean;
}

interface Kept {
  readonly track: Track;
  readonly sequence: number;
  readonly text: string;
}

/**
 * `primed` streams begin with an empty event that bears an id, so that they can be resumed before anything was
 * sent; clients of revisions before 2025-11-25 do not expect it.
 */
export function createStreams(budget: ReplayBudget, primed: boolean): Streams {
  const tracks = new Map<number, Track>();
  const kept: Kept[] = [];
  let size = 0;
  let nextId = LISTENER + 1;

  const evict = (): void => {
    const oldest = kept.shift();
    if (oldest === undefined) return;
    size -= oldest.text.length;
    budget.used -= oldest.text.length;
    forget(oldest.track);
  };
  const forget = (track: Track): void => {
    if (track.ended && !kept.some((event) => event.track === track)) tracks.delete(track.id);
  };
  const keep = (event: Kept): void => {
    const { length } = event.text;
    if (length > MAX_KEPT_SIZE) return;
    kept.push(event);
    size += length;
    budget.used += length;
    const over = (): boolean =>
      kept.length > MAX_KEPT || size > MAX_KEPT_SIZE || budget.used > MAX_KEPT_OVERALL;
    while (kept.length > 0 && over()) evict();
  };
  const begin = (id: number, outlet: Outlet): Track => {
    const track: Track = { id, sequence: 0, outlet, primed: false, ended: false };
    tracks.set(id, track);
    return track;
  };
  const send = (track: Track, message: string): boolean => {
    if (track.ended) return false;
    if (track.sequence === 0 && !track.primed && primed) prime(track);
    const sequence = ++track.sequence;
    const text = `event: message\nid: ${track.id}-${sequence}\ndata: ${message}\n\n`;
    keep({ track, sequence, text });
    track.outlet?.write(text);
    return true;
  };
  const end = (track: Track): void => {
    track.ended = true;
    track.outlet?.end();
    track.outlet = undefined;
    forget(track);
  };
  const newestAnswer = (): Track | undefined =>
    [...tracks.values()].filter(({ id, ended }) => id !== LISTENER && !ended).at(-1);
  const listener = (): Track | undefined => tracks.get(LISTENER);
  const sendTo = (track: Track | undefined, message: string): boolean =>
    track !== undefined && send(track, message);

  return {
    answer: (outlet) => {
      const track = begin(nextId++, outlet);
      return {
        send: (message) => send(track, message),
        finish: (message) => {
          send(track, message);
          end(track);
        },
        open: () => {
          if (primed && !track.primed) prime(track);
        },
        drop: () => {
          track.outlet = undefined;
          end(track);
        },
      };
    },
    listen: (outlet) => {
      const known = listener();
      known?.outlet?.end();
      const track = known ?? begin(LISTENER, outlet);
      track.outlet = outlet;
      outlet.write(': open\n\n');
      if (primed) prime(track);
    },
    resume: (lastEventId, outlet) => {
      const [, id, sequence] = /^(\d{1,9})-(\d{1,9})$/.exec(lastEventId) ?? [];
      const track = tracks.get(Number(id));
      if (track === undefined || Number(sequence) > track.sequence) return false;
      track.outlet?.end();
      track.outlet = outlet;
      outlet.write(': resumed\n\n');
      for (const event of kept)
        if (event.track === track && event.sequence > Number(sequence)) outlet.write(event.text);
      if (track.ended) end(track);
      return true;
    },
    gone: (outlet) => {
      for (const track of tracks.values()) if (track.outlet === outlet) track.outlet = undefined;
    },
    listening: () => listener()?.outlet !== undefined,
    deliver: (message) => sendTo(newestAnswer() ?? listener(), message),
    announce: (message) => sendTo(listener() ?? newestAnswer(), message),
    close: () => {
      budget.used -= size;
      kept.length = 0;
      for (const track of [...tracks.values()]) end(track);
    },
  };
}

function prime(track: Track): void {
  track.primed = true;
  track.outlet?.write(`retry: ${RETRY_MS}\nid: ${track.id}-${track.sequence}\ndata: \n\n`);
}
