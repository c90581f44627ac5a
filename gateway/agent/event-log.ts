/** One SSE event of a run. */
export interface LoggedEvent {
  /** Counts from 1 within the run. */
  readonly id: number;
  /** The event's name; undefined for an unnamed one. */
  readonly name: string | undefined;
  readonly data: string;
}

export interface EventLogLimits {
  readonly events: number;
  /** UTF-16 units of the data of all events kept. */
  readonly size: number;
}

/** The events of one run, kept for readers of any speed within bounds: beyond them the oldest are forgotten. */
export interface EventLog {
  append(name: string | undefined, data: string): void;
  /** Nothing follows. */
  end(): void;
  /** The newest event's id; 0 when there is none. */
  last(): number;
  /** All that is kept. */
  all(): readonly LoggedEvent[];
  /** The size of what is kept. */
  size(): number;
  /** True when every event after `id` is still kept, so that a reader who saw `id` misses nothing. */
  has(after: number): boolean;
  /**
   * The next events after `id`, as many as there are: waits for the first one, and answers none once the log has
   * ended or `signal` is aborted. Events no longer kept are left out; ask `has` before.
   */
  next(after: number, signal: AbortSignal): Promise<readonly LoggedEvent[]>;
}

/** `known` are the events that a run has had before the gateway's restart. */
export function createEventLog(limits: EventLogLimits, known: readonly LoggedEvent[] = []): EventLog {
  const events: LoggedEvent[] = [...known];
  const waiting = new Set<() => void>();
  let last = known.at(-1)?.id ?? 0;
  let size = known.reduce((sum, { data }) => sum + data.length, 0);
  let ended = false;

  function wake(): void {
    for (const resume of waiting) resume();
    waiting.clear();
  }

  function evict(): void {
    let count = 0;
    while (events.length - count > 1 && (events.length - count > limits.events || size > limits.size)) {
      size -= events[count]?.data.length ?? 0;
      count += 1;
    }
    if (count > 0) events.splice(0, count);
  }

  return {
    append(name, data) {
      last += 1;
      size += data.length;
      events.push({ id: last, name, data });
      evict();
      wake();
    },
    end() {
      ended = true;
      wake();
    },
    last: () => last,
    all: () => events,
    size: () => size,
    has: (after) => after >= (events[0]?.id ?? 1) - 1,
    async next(after, signal) {
      while (last <= after && !ended && !signal.aborted) await pause(waiting, signal);
      return signal.aborted ? [] : events.slice(Math.max(0, after + 1 - (events[0]?.id ?? 1)));
    },
  };
}

function pause(waiting: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const resume = (): void => {
      signal.removeEventListener('abort', resume);
      waiting.delete(resume);
      resolve();
    };
    waiting.add(resume);
    signal.addEventListener('abort', resume, { once: true });
  });
}
