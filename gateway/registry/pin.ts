import type { JsonObject } from '../contract/json.ts';
import type { PinKind } from '../contract/pins.ts';

/** One definition that a server has offered. */
export interface PinVersion {
  readonly hash: string;
  /** Null when it was too large to be kept. */
  readonly content: JsonObject | null;
  /** What of it looks like prompt injection, e.g. `secrecy in description`: then only a person can accept it. */
  readonly found: readonly string[];
  readonly state: 'accepted' | 'waiting' | 'rejected';
  /**
   * For which clients' capabilities it is accepted, and for clients that can do more: an empty set means all. To the
   * others it waits for review.
   */
  readonly acceptedFor: readonly string[];
  /** For which clients' capabilities the server offers it by its last listing; none for a tombstone. */
  readonly offeredTo: readonly string[];
  /** It came when nothing of its name was on offer any more. */
  readonly returned: boolean;
  /** When its state was set (ISO 8601), and by whom: a subject, `registration`, `trust` or `server`. */
  readonly at: string;
  readonly by: string;
}

/** What was accepted under one name, and what is offered in its place. */
export interface Pin {
  readonly kind: PinKind;
  readonly name: string;
  readonly versions: readonly PinVersion[];
}

/** The pins of one registration of a server. */
export interface ServerPins {
  /** `group:server`. */
  readonly server: string;
  readonly fingerprint: string;
  /** Rises with every change. */
  readonly revision: number;
  /** For each set of client capabilities the kinds whose first listing has been taken as approved. */
  readonly baselines: Readonly<Record<string, readonly PinKind[]>>;
  readonly pins: readonly Pin[];
}

/** A registration that pins are kept for. */
export interface Pinned {
  /** `group:server`. */
  readonly id: string;
  readonly fingerprint: string;
  /** `review`: somebody has to accept what changes. `trust`: a server's changes are accepted as they come. */
  readonly mode: 'review' | 'trust';
}
