import type { Capabilities, KnownServer, ServerStatus } from '../registry/entry.ts';
import type { Log } from '../telemetry/log.ts';
import type { Connection, ConnectionEvents } from './connection.ts';
import { discover, NOTHING, type Discovery } from './discover.ts';
import { ConsentNeededError, CredentialsMissingError, describeError, UnavailableError } from './errors.ts';
import { createRestarts, type RestartBudget, type Restarts } from './restarts.ts';
import { createUsage, type Usage } from './usage.ts';

export interface SupervisorDeps {
  /** Opens a connection; the signal bounds the start and the handshake. */
  readonly connect: (events: ConnectionEvents, signal: AbortSignal) => Promise<Connection>;
  readonly connectTimeoutMs: number;
  readonly log: Log;
  readonly onChange: () => void;
  /** What the server listed in an earlier run of the gateway. */
  readonly known?: KnownServer | undefined;
  /** Searches resources that were listed in an earlier run; undefined when that is done at once. */
  readonly search?: (capabilities: Capabilities) => Promise<void> | undefined;
  /** Searches and records a listing before it counts; see `Pins`. */
  readonly record: (discovery: Discovery, instructions: string | undefined) => Promise<void>;
  /** Called when the server has listed all that it offers. */
  readonly onListed?: (known: KnownServer) => void;
  /** Started by the first call that needs it, or to be listed when nothing is known of it; else by `start`. */
  readonly onDemand?: boolean;
  /** It is stopped when it was not used for so long, and started again by the next call. */
  readonly idleStopMs?: number | undefined;
  /** How often it is started again by itself; without it there is no end to it. */
  readonly restarts?: RestartBudget | undefined;
}

const STDERR_LINES = 20;
/** The pauses start over after a connection that lasted this long. */
const STEADY_MS = 60_000;
/** A server that failed is not asked again sooner than this, however many calls come. */
const RETRY_FLOOR_MS = 1_000;
const LIST_TIMEOUT_MS = 30_000;
/** Lists are not read again sooner than this for being looked at, however short a server calls them fresh. */
const MIN_FRESH_MS = 30_000;
/** Servers often announce several changes at once. */
const RELIST_DELAY_MS = 50;
/** A server that could not be listed whole is listed again after pauses that grow. */
const MEND_MS = { first: 5_000, most: 5 * 60_000 } as const;

/**
 * Keeps one server connected: starts it, lists what it offers, starts it again with growing pauses when it is
 * lost until its budget of restarts is spent, stops it when nobody uses it, and knows its state in words. What was
 * listed stays known while the server is away.
 */
export class Supervisor {
  status: ServerStatus;
  capabilities: Capabilities = NOTHING;
  private readonly deps: SupervisorDeps;
  private readonly stopping = new AbortController();
  private attempt: Promise<Connection> | undefined;
  private connection: Connection | undefined;
  private listing: Promise<void> = Promise.resolve();
  /** Part of every status, and changed in place: a line of a server's chatter is no change of the registry. */
  private readonly stderrTail: string[] = [];
  private readonly restarts: Restarts;
  private readonly usage: Usage = createUsage();
  /** The end of a process that nobody used; the next start waits for it. */
  private resting: Promise<void> | undefined;
  private mends = 0;
  private lastAttempt = 0;
  private staleAt = Infinity;
  private connectedAt = 0;
  private retryTimer: NodeJS.Timeout | undefined;
  private relistTimer: NodeJS.Timeout | undefined;
  private idleTimer: NodeJS.Timeout | undefined;

  constructor(deps: SupervisorDeps) {
    this.deps = deps;
    this.restarts = createRestarts(deps.restarts);
    this.status = { state: 'configured', stderrTail: this.stderrTail, declared: {} };
    if (deps.known !== undefined) this.recall(deps.known);
  }

  /**
   * Starts the server in the background; a failure shows in `status` and is tried again. One that is started on
   * demand and known from an earlier run is only declared to be at rest.
   */
  start(): Promise<void> {
    if (this.deps.onDemand !== true || this.status.listedAt === undefined) return this.startNow();
    this.change({ state: 'stopped' });
    return Promise.resolve();
  }

  private startNow(): Promise<void> {
    return this.connect().then(
      () => undefined,
      () => undefined,
    );
  }

  /** The connection, made now if need be. Rejects with an `UnavailableError` that says why there is none. */
  connected(): Promise<Connection> | Connection {
    if (this.connection) return this.connection;
    if (this.attempt) return this.attempt;
    if (Date.now() - this.lastAttempt < RETRY_FLOOR_MS) {
      return Promise.reject(new UnavailableError(this.status.lastError ?? 'the server is not running'));
    }
    this.restarts.asked();
    return this.connect();
  }

  /** Lists again in the background, where the server's own time limit on its lists has passed. */
  looked(): void {
    if (this.connection === undefined || Date.now() < this.staleAt) return;
    this.staleAt = Infinity;
    void this.list(this.connection);
  }

  /** A further connection to the same server, whose requests count as use of it. */
  counted(connection: Connection): Connection {
    return this.usage.counted(connection);
  }

  /** Lists again what the server offers, or starts it if it is not running. */
  async refresh(): Promise<void> {
    if (this.connection) await this.list(this.connection);
    else if (!this.stopping.signal.aborted) {
      this.lastAttempt = 0;
      this.restarts.asked();
      await this.startNow();
    }
  }

  /** Ends the connection and the process behind it, for good. */
  async stop(): Promise<void> {
    this.stopping.abort(new UnavailableError('the gateway is stopping'));
    clearTimeout(this.retryTimer);
    clearTimeout(this.relistTimer);
    clearTimeout(this.idleTimer);
    await this.attempt?.catch(() => undefined);
    await this.connection?.close();
    await this.resting;
    this.connection = undefined;
    this.change({ state: 'stopped' });
  }

  /** Much that has to be searched first is shown when it was: nobody waits for it, nor for the tools. */
  private recall({ capabilities, shyAt: _memory, ...said }: KnownServer): void {
    this.status = { ...this.status, ...said };
    this.capabilities = capabilities;
    this.deps.search?.(capabilities)?.then(
      () => {
        if (this.capabilities !== capabilities) return;
        // Another object: what may be shown of it has changed.
        this.capabilities = { ...capabilities };
        this.deps.onChange();
      },
      (error: unknown) =>
        this.deps.log.warn(
          { err: error },
          'resources of an earlier run are not shown until they are listed anew',
        ),
    );
  }

  private connect(): Promise<Connection> {
    clearTimeout(this.retryTimer);
    this.attempt ??= this.open().finally(() => (this.attempt = undefined));
    return this.attempt;
  }

  private async open(): Promise<Connection> {
    this.stopping.signal.throwIfAborted();
    this.lastAttempt = Date.now();
    this.change({ state: 'starting' });
    const timeout = AbortSignal.timeout(this.deps.connectTimeoutMs);
    const signal = AbortSignal.any([timeout, this.stopping.signal]);
    if (this.resting !== undefined) await this.resting;
    let connection: Connection | undefined;
    let gone: string | undefined;
    const onLost = (reason: string): void => {
      gone = reason;
      if (connection !== undefined && this.connection === connection) this.lost(reason);
    };
    try {
      connection = this.usage.counted(await this.deps.connect(this.events(onLost), signal));
      if (gone !== undefined) throw new UnavailableError(gone);
    } catch (error) {
      const reason = timeout.aborted
        ? `did not answer within ${this.deps.connectTimeoutMs / 1000} s of its start`
        : describeError(error);
      this.lost(reason, lackOf(error));
      if (error instanceof CredentialsMissingError) throw error;
      throw new UnavailableError(reason, { cause: error });
    }
    this.connection = connection;
    this.connectedAt = Date.now();
    const { lastError: _cleared, lacks: _given, instructions: _former, ...rest } = this.status;
    this.status = { ...rest, ...saidOf(connection) };
    await this.list(connection);
    this.usage.touch();
    this.restWhenIdle(connection);
    return connection;
  }

  /** Stops the process once nobody has used it for long enough. */
  private restWhenIdle(connection: Connection): void {
    const { idleStopMs } = this.deps;
    clearTimeout(this.idleTimer);
    if (idleStopMs === undefined || this.connection !== connection) return;
    const left = idleStopMs - this.usage.idleMs();
    if (left > 0) {
      this.idleTimer = setTimeout(() => this.restWhenIdle(connection), left).unref();
      return;
    }
    this.connection = undefined;
    clearTimeout(this.relistTimer);
    this.resting = connection.close().finally(() => (this.resting = undefined));
    this.lastAttempt = 0;
    this.change({ state: 'stopped' });
  }

  private events(onLost: (reason: string) => void): ConnectionEvents {
    return {
      onNotification: (method) => {
        if (method.endsWith('/list_changed')) this.relist();
      },
      onRenewed: () => this.relist(),
      onLost,
      onStderr: (line) => {
        this.deps.log.debug({ line }, 'stderr');
        this.stderrTail.push(line);
        if (this.stderrTail.length > STDERR_LINES) this.stderrTail.shift();
      },
      onWarning: (words) => this.deps.log.warn(words),
    };
  }

  private relist(delayMs = RELIST_DELAY_MS): void {
    clearTimeout(this.relistTimer);
    this.relistTimer = setTimeout(() => {
      if (this.connection) void this.list(this.connection);
    }, delayMs).unref();
  }

  /** One at a time, so that an older answer never replaces a newer one. */
  private list(connection: Connection): Promise<void> {
    const next = (): Promise<void> => this.listNow(connection);
    return (this.listing = this.listing.then(next, next));
  }

  private async listNow(connection: Connection): Promise<void> {
    if (!this.isCurrent(connection)) return;
    const signal = AbortSignal.any([AbortSignal.timeout(LIST_TIMEOUT_MS), this.stopping.signal]);
    const discovery = await discover(connection, signal, this.capabilities);
    if (!this.isCurrent(connection)) return;
    const problems = [...discovery.problems, ...(await this.recorded(discovery, connection))];
    const { capabilities, ttlMs } = discovery;
    if (!this.isCurrent(connection)) return;
    this.staleAt = ttlMs === undefined ? Infinity : Date.now() + Math.max(ttlMs, MIN_FRESH_MS);
    this.capabilities = capabilities;
    const { lastError: _cleared, ...rest } = this.status;
    this.status = { ...rest, ...saidOf(connection), warnings: connection.handshake.warnings ?? [] };
    if (problems.length === 0) {
      const listedAt = Date.now();
      this.status = { ...this.status, listedAt };
      const { shyAt } = connection.handshake;
      this.deps.onListed?.({ ...saidOf(connection), listedAt, capabilities, ...(shyAt && { shyAt }) });
    }
    if (problems.length === 0) {
      this.mends = 0;
      this.change({ state: 'ready' });
      return;
    }
    this.relist(Math.min(MEND_MS.first * 2 ** this.mends++, MEND_MS.most));
    this.change({ state: 'degraded', lastError: problems.join('; ') });
  }

  private isCurrent(connection: Connection): boolean {
    return this.connection === connection && !this.stopping.signal.aborted;
  }

  /** What is wrong when a listing could not be searched or recorded: what is new in it will not be shown. */
  private recorded(discovery: Discovery, { handshake }: Connection): Promise<string[]> {
    return this.deps.record(discovery, handshake.instructions).then(
      () => [],
      (error: unknown) => {
        this.deps.log.warn({ err: error }, 'a listing could not be recorded: what is new in it is not shown');
        return [`what it offers could not be recorded for review: ${describeError(error)}`];
      },
    );
  }

  /** A server that lacks credentials is not asked again by itself: whoever gives them makes it start anew. */
  private lost(reason: string, lacks?: ServerStatus['lacks']): void {
    if (this.connection !== undefined && Date.now() - this.connectedAt > STEADY_MS) this.restarts.steady();
    this.connection = undefined;
    clearTimeout(this.idleTimer);
    if (this.stopping.signal.aborted) return;
    if (lacks !== undefined) {
      this.change({ state: 'failed', lastError: reason, lacks });
      return;
    }
    const pause = this.restarts.next();
    const { restarts } = this.deps;
    const spent =
      restarts && pause === undefined
        ? `; given up after ${restarts.most} restarts within ${restarts.withinMs / 60_000} minutes, until it is called or refreshed`
        : '';
    this.change({ state: 'failed', lastError: reason + spent });
    this.deps.log.warn({ reason: reason + spent }, 'server is not available');
    clearTimeout(this.retryTimer);
    if (pause !== undefined) this.retryTimer = setTimeout(() => void this.startNow(), pause).unref();
  }

  private change(change: Partial<ServerStatus> & Pick<ServerStatus, 'state'>): void {
    this.status = { ...this.status, ...change };
    this.deps.onChange();
  }
}

function saidOf({ handshake }: Connection): Omit<KnownServer, 'listedAt' | 'capabilities' | 'shyAt'> {
  const { serverInfo, protocolVersion, capabilities, instructions } = handshake;
  return { serverInfo, protocolVersion, declared: capabilities, ...(instructions && { instructions }) };
}

function lackOf(error: unknown): ServerStatus['lacks'] {
  if (!(error instanceof CredentialsMissingError)) return undefined;
  return error instanceof ConsentNeededError ? 'consent' : 'values';
}
