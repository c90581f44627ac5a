import type { ChildMessage } from '../gateway/contract/ipc.ts';
import { EXIT } from '../gateway/contract/ipc.ts';
import { RestartBackoff } from './backoff.ts';

const START_TIMEOUT_MS = 15_000;

/** Why the gateway is not running. */
export type GatewayFailure =
  /** The gateway said why before it ended. `final`: starting it again without a change would fail again. */
  | { readonly kind: 'reported'; readonly message: string; readonly final: boolean }
  | { readonly kind: 'exited'; readonly exit: ChildExit }
  | { readonly kind: 'timeout'; readonly seconds: number }
  /** It could not even be launched. */
  | { readonly kind: 'launch'; readonly message: string };

export type GatewayStatus =
  | { readonly status: 'stopped' }
  /** `after` is the failure it is started again after. */
  | { readonly status: 'starting'; readonly after?: GatewayFailure }
  | {
      readonly status: 'running';
      readonly address: string;
      readonly pid: number;
      readonly version: string;
    }
  /** `retryInMs` is absent when it stays so until something changes. */
  | { readonly status: 'failed'; readonly failure: GatewayFailure; readonly retryInMs?: number };

export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The newest lines of its standard error, oldest first. */
  readonly stderrTail: readonly string[];
}

/** A launched gateway process. */
export interface GatewayChild {
  /** Ends the process, by force if it does not end by itself; resolves when it is gone. */
  stop(): Promise<void>;
  /** Hands over all secrets that there are by now. */
  tell(secrets: Readonly<Record<string, string>>): void;
}

export interface ChildEvents {
  onMessage(message: Exclude<ChildMessage, { type: 'keep' }>): void;
  onExit(exit: ChildExit): void;
}

/**
 * Keeps one gateway process running: launches it, waits for its `ready`, launches it again with growing delays
 * when it ends by itself, and leaves it alone after a failure that only a change of its input can cure. There is
 * never more than one process: a new one is launched when the one before it is gone.
 */
export class GatewaySupervisor {
  readonly #launch: (events: ChildEvents) => Promise<GatewayChild>;
  readonly #onStatus: (status: GatewayStatus) => void;
  readonly #backoff = new RestartBackoff();
  #status: GatewayStatus = { status: 'stopped' };
  /** Rises with every start and stop, so that what an earlier process still says is ignored. */
  #generation = 0;
  #child: GatewayChild | undefined;
  #gone: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #readyAt: number | undefined;
  #reported: GatewayFailure | undefined;

  constructor(
    launch: (events: ChildEvents) => Promise<GatewayChild>,
    onStatus: (status: GatewayStatus) => void,
  ) {
    this.#launch = launch;
    this.#onStatus = onStatus;
  }

  get status(): GatewayStatus {
    return this.#status;
  }

  /** Starts the gateway unless it runs or is about to. */
  start(): void {
    if (this.#status.status === 'starting' || this.#status.status === 'running') return;
    this.restart();
  }

  /** Stops the gateway, if it runs, and starts it anew at once. */
  restart(): void {
    this.#backoff.reset();
    this.#begin();
  }

  /** Hands the secrets to the process that runs, if one does; the next is launched with them. */
  tell(secrets: Readonly<Record<string, string>>): void {
    this.#child?.tell(secrets);
  }

  /** Resolves when the process is gone. */
  async stop(): Promise<void> {
    this.#generation += 1;
    this.#retire();
    this.#set({ status: 'stopped' });
    await this.#gone;
  }

  #begin(after?: GatewayFailure): void {
    this.#generation += 1;
    const generation = this.#generation;
    this.#retire();
    this.#set({ status: 'starting', ...(after !== undefined && { after }) });
    void this.#gone.then(() => {
      if (generation === this.#generation) this.#spawn(generation);
    });
  }

  /** Lets go of the present process; `#gone` resolves when it has ended. */
  #retire(): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    this.#readyAt = undefined;
    this.#reported = undefined;
    if (child !== undefined) this.#gone = Promise.all([this.#gone, child.stop()]).then(() => undefined);
  }

  #spawn(generation: number): void {
    const current = (): boolean => generation === this.#generation;
    this.#timer = setTimeout(() => {
      this.#fail({ kind: 'timeout', seconds: START_TIMEOUT_MS / 1000 });
    }, START_TIMEOUT_MS);
    this.#launch({
      onMessage: (message) => {
        if (current()) this.#receive(message);
      },
      onExit: (exit) => {
        if (!current()) return;
        this.#child = undefined;
        this.#fail(this.#reported ?? { kind: 'exited', exit });
      },
    }).then(
      (child) => {
        if (current()) this.#child = child;
        else this.#gone = Promise.all([this.#gone, child.stop()]).then(() => undefined);
      },
      (error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        if (current()) this.#fail({ kind: 'launch', message });
      },
    );
  }

  #receive(message: Exclude<ChildMessage, { type: 'keep' }>): void {
    if (message.type === 'failed') {
      const final = message.exitCode === EXIT.usage;
      this.#reported = { kind: 'reported', message: message.message, final };
      return;
    }
    clearTimeout(this.#timer);
    this.#readyAt = Date.now();
    this.#set({
      status: 'running',
      address: message.address,
      pid: message.pid,
      version: message.version,
    });
  }

  #fail(failure: GatewayFailure): void {
    const ranFor = this.#readyAt === undefined ? 0 : Date.now() - this.#readyAt;
    this.#generation += 1;
    this.#retire();
    if (failure.kind === 'reported' && failure.final) {
      this.#set({ status: 'failed', failure });
      return;
    }
    const retryInMs = this.#backoff.next(ranFor);
    this.#timer = setTimeout(() => {
      this.#begin(failure);
    }, retryInMs);
    this.#set({ status: 'failed', failure, retryInMs });
  }

  #set(status: GatewayStatus): void {
    this.#status = status;
    this.#onStatus(status);
  }
}
