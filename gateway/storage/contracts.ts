import type { CallRecord } from '../contract/activity.ts';
import type { ApprovalDecision, ApprovalGrant, ApprovalStatus, ApprovalView } from '../contract/approvals.ts';
import type { TokenScope } from '../identity/principal.ts';
import type { KnownServer } from '../registry/entry.ts';
import type { ServerPins } from '../registry/pin.ts';

/** A token as it is stored: a keyed hash, never its value. */
export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly subject: string;
  /** HMAC-SHA-256 of the token under the installation's key, hex. */
  readonly hash: string;
  /** A person's, or a service account's. */
  readonly kind: 'pat' | 'vat';
  readonly administrator: boolean;
  readonly scope: TokenScope;
  /** The value before the last rotation, and until when it holds (ISO 8601). */
  readonly previous: { readonly hash: string; readonly until: string } | null;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly expiresAt: string | null;
}

/** That a command may run on this machine, by whose word and since when. */
export interface ConsentRecord {
  /** Of {command, args, names of env, cwd}: SHA-256, hex. */
  readonly hash: string;
  readonly by: string;
  /** ISO 8601. */
  readonly at: string;
}

/** What people change and the gateway reads whole. */
export interface ConfigState {
  readonly version: 1;
  readonly tokens: readonly TokenRecord[];
  readonly pins: readonly ServerPins[];
  readonly consents: readonly ConsentRecord[];
}

/**
 * Small state that people change: read whole, written rarely and atomically. An update that has resolved
 * survives a `kill -9`. Several processes may share one store.
 */
export interface ConfigStore {
  /** The newest state this process knows of; costs nothing. */
  current(): ConfigState;
  /**
   * Takes in what another process has written by now, before a decision that must not come a moment late. Cheap enough
   * for every request (a microsecond), and never throws: what cannot be read leaves the state as it was.
   */
  catchUp(): void;
  /** Reads, changes and writes under a lock, so that no writer's change is lost. */
  update(change: (state: ConfigState) => ConfigState): Promise<ConfigState>;
  /** Called after every change, another process's included. Returns the way to stop it. */
  onChange(listener: (state: ConfigState) => void): () => void;
  close(): Promise<void>;
}

export interface ActivityQuery {
  /** 1 to 1000. */
  readonly limit: number;
}

/**
 * The record of calls. `append` never waits: rows are written in batches, at the latest after one second, and
 * at `flush` and `close`. A row older than one second survives a `kill -9`.
 */
export interface ActivityStore {
  append(record: CallRecord): void;
  /** The newest first. */
  query(query: ActivityQuery): Promise<CallRecord[]>;
  /** The newest use of each of the tokens, in milliseconds since the epoch. */
  lastUse(tokenIds: readonly string[]): Promise<Map<string, number>>;
  /** Deletes what started before `time` (ms since the epoch); answers how many. */
  purge(time: number): Promise<number>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** The stretch of time that a counter counts in: any of a length, in ms, or a period of the calendar in UTC. */
export type CounterWindow = number | 'day' | 'week' | 'month';

/** Something to be counted, up to a limit. */
export interface Charge {
  readonly key: string;
  readonly window: CounterWindow;
  readonly limit: number;
  readonly amount: number;
}

/** `index` is that of the charge there was no room for; `retryAfterMs` is undefined where there never will be. */
export type Taken =
  | { readonly ok: true }
  | { readonly ok: false; readonly index: number; readonly retryAfterMs: number | undefined };

/**
 * What all replicas of a gateway share while they run. A sliding window never holds more than the limit in any stretch
 * of its length, however the calls fall; room comes back at most a sixtieth of the window late.
 */
export interface SharedState {
  /** Adds every charge, or none of them where one would go over its limit. */
  take(charges: readonly Charge[]): Taken | Promise<Taken>;
  /** Adds whatever the limit. */
  add(key: string, window: CounterWindow, amount: number): void;
  /**
   * Takes back of what was counted at `at`, in ms since the epoch. What has left the window since, or was reset, is not
   * there to be given back: a later stretch of time does not gain by it.
   */
  giveBack(key: string, window: CounterWindow, amount: number, at: number): void;
  used(key: string, window: CounterWindow): number;
  /** In how many ms a charge fits; 0 while it does, undefined where it never will. Counts nothing. */
  roomIn(charge: Charge): number | undefined;
  /** The keys of the counters that hold something, in no order; one is there once for each of its windows. */
  keys(): readonly string[];
  /** Takes one of `limit` places; false when there is none. */
  acquire(key: string, limit: number): boolean | Promise<boolean>;
  release(key: string): void;
  /** How many places are taken. */
  placesTaken(key: string): number;
  /** Forgets the counters whose keys begin so. */
  reset(prefix: string): void;
  close(): Promise<void>;
}

/** A counter as it is kept over a restart. */
export interface KeptCounter {
  readonly key: string;
  readonly window: CounterWindow;
  /** Numbers of slots, or the start of the period, and what was counted in each. */
  readonly slots: readonly (readonly [number, number])[];
}

/** Counters of long windows, over a restart. */
export interface CounterStore {
  all(): readonly KeptCounter[];
  /** Puts them in place of what was kept under their keys and windows; one without slots is deleted. */
  save(counters: readonly KeptCounter[]): void;
  close(): void;
}

/** A call that waits, or waited, for somebody's word. */
export interface ApprovalRecord {
  readonly id: string;
  readonly status: ApprovalStatus;
  /** SHA-256, hex, of all that the approval is bound to: caller, server, tool, arguments, policy. */
  readonly binding: string;
  /** The same without the arguments: what a standing approval is bound to. */
  readonly family: string;
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly content: ApprovalContent;
  readonly decision: KeptDecision | null;
}

/** A decision, with what else was known of whoever decided: their word counts while they may give it. */
export type KeptDecision = ApprovalDecision & Approver;

/** What an approver's token said of them. */
export interface Approver {
  readonly administrator: boolean;
  readonly teams: readonly string[];
}

/** What of a request is kept to be shown and judged. */
export interface ApprovalContent extends Omit<
  ApprovalView,
  | 'id'
  | 'status'
  | 'subject'
  | 'createdAt'
  | 'expiresAt'
  | 'decision'
  | 'url'
  | 'mayDecide'
  | 'whyNot'
  | 'lasts'
  | 'whole'
> {
  /** `group:server`, and the group by which approvers are found. */
  readonly serverId: string;
  readonly group: string;
  /** The run or MCP session that asks. */
  readonly session: string | null;
}

/** A standing approval, with the terms under which it was given. */
export interface GrantRecord
  extends ApprovalGrant, Approver, Pick<ApprovalContent, 'group' | 'approvers' | 'fourEyes'> {
  readonly family: string;
}

/**
 * Approvals: few, and precious. What has resolved survives a `kill -9`. Every change of a status is atomic, so that of
 * racing calls one alone spends an approval, and of racing approvers one alone decides.
 */
export interface ApprovalStore {
  /**
   * Puts a new one down. Where the same call waits already, or a denial of it holds, that one is answered, and nothing
   * put down; so it is where as many wait as may, or as much, and `full` says how many of that caller do.
   */
  add(
    record: ApprovalRecord,
    most: Readonly<Record<'each' | 'all' | 'bytesEach' | 'bytesAll', number>>,
  ): Promise<{ readonly record: ApprovalRecord; readonly added: boolean } | { readonly full: number }>;
  get(id: string): Promise<ApprovalRecord | undefined>;
  /** What has become of it, without reading all of it. */
  status(id: string): Promise<ApprovalStatus | undefined>;
  /** The newest first; without `status`, all. */
  list(query: { readonly status?: ApprovalStatus; readonly limit: number }): Promise<ApprovalRecord[]>;
  /** The newest of a binding that has not expired at `now`. */
  find(
    binding: string,
    statuses: readonly ApprovalStatus[],
    now: number,
  ): Promise<ApprovalRecord | undefined>;
  /** Moves a pending one on that has not expired; false when it is not pending any more. */
  settle(
    id: string,
    status: 'approved' | 'denied' | 'cancelled',
    decision: KeptDecision | null,
    now: number,
  ): Promise<boolean>;
  /**
   * Spends all of these approvals and counts a use of all of these grants, by their ids; or, where one is spent, taken
   * back or expired, nothing at all, and answers false.
   */
  take(
    wanted: { readonly approvals: readonly string[]; readonly grants: readonly string[] },
    now: number,
  ): Promise<boolean>;
  /** Marks those whose time has come, pending or approved, and answers them. */
  expire(now: number): Promise<ApprovalRecord[]>;
  addGrant(grant: GrantRecord): Promise<void>;
  /** Those that last, of one family or of all. */
  grants(now: number, family?: string): Promise<GrantRecord[]>;
  removeGrant(id: string): Promise<boolean>;
  /** Removes those of a session or run, before it returns; whether there were any. */
  removeGrantsOf(session: string): Promise<boolean>;
  /**
   * Removes those that have expired at `now`, and those of sessions and runs that do not go on, before it returns;
   * whether there were any.
   */
  sweepGrants(now: number, goesOn: (session: string) => boolean): Promise<boolean>;
  /** Deletes requests that were over before `time`. */
  purge(time: number): Promise<void>;
  close(): Promise<void>;
}

/** A run of the agent that waits for approvals, as it is kept over a restart. */
export interface PausedRun {
  readonly id: string;
  readonly subject: string;
  readonly tokenId: string;
  /** All that the agent needs to go on, as JSON. */
  readonly state: string;
}

/** The runs that wait. What has resolved survives a `kill -9`. */
export interface RunStore {
  save(run: PausedRun): Promise<void>;
  /** Of a run that is not kept, without effect. */
  remove(id: string): Promise<void>;
  all(): Promise<PausedRun[]>;
  close(): Promise<void>;
}

/** A text of the configuration, and what tells it from any other. */
export interface ConfigText {
  readonly text: string;
  readonly revision: string;
}

/** What was to be replaced is not there any more: somebody else changed it. */
export class ConflictError extends Error {}

/** It is kept where this program may not write; the message says so to who wanted to change it. */
export class UnwritableError extends Error {}

/** The one place where the configuration's text is kept. */
export interface ConfigSource {
  read(): Promise<ConfigText>;
  /**
   * Puts a text in place of the one with this revision, whole or not at all, and keeps the one before as a backup.
   * Rejects with a `ConflictError` when another text is there by now, and with an `UnwritableError` when it
   * cannot be written.
   */
  replace(text: string, revision: string): Promise<ConfigText>;
  /** Called soon after the text changed, by whomever. Returns the way to stop it. */
  onChange(listener: () => void): () => void;
  close(): void;
}

/**
 * What each server listed last, so that a server is listed while it is away, after a restart of the gateway too.
 * A cache: what is lost or damaged is listed anew. A server is known by its id and a fingerprint of its
 * registration, so that one that was registered anew is never shown with another's tools.
 */
export interface CatalogStore {
  /** Asked while a gateway is put together, and answers at once. Undefined when nothing fit to use was kept. */
  find(serverId: string, fingerprint: string): KnownServer | undefined;
  /** Never waits: it is written a little later, and at `close`. */
  keep(serverId: string, fingerprint: string, known: KnownServer): void;
  close(): Promise<void>;
}
