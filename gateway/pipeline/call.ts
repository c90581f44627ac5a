import type { JsonObject } from '../contract/json.ts';
import type { Principal } from '../identity/principal.ts';
import type { Offered } from '../registry/entry.ts';

/** By which way in a call came. */
export type CallSource = 'mcp' | 'agent' | 'api';

/** What an MCP call is for: `name` is the tool's name as it is shown, the prompt's, the resource's URI, or the log level. */
export interface CallTarget {
  /** `group:server`. */
  readonly serverId: string;
  readonly kind: 'tool' | 'resource' | 'prompt' | 'completion' | 'logging';
  readonly name: string;
}

/** A `notifications/progress` of the upstream server, its token left out. */
export interface Progress {
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
}

/**
 * Who asks, as a server of the modern era is told with each request (MCP 2026-07-28, `_meta`); one of the legacy era
 * was told at `initialize`.
 */
export interface Envelope {
  readonly clientCapabilities: JsonObject;
  readonly clientInfo?: JsonObject;
  /** The least severe log message that the caller wants; none at all without it. */
  readonly logLevel?: string;
}

/** What calls are sent by. */
export interface Requests {
  request(
    method: string,
    params: JsonObject,
    options: {
      readonly signal: AbortSignal;
      readonly onProgress?: ((progress: Progress) => void) | undefined;
      readonly envelope?: Envelope | undefined;
    },
  ): Promise<JsonObject>;
}

/** A connection of the caller's own to the target's server, used in place of the shared one. */
export interface OwnConnection {
  /** The connection, made now if need be. Rejects as the shared one does. */
  ready(): Promise<Requests> | Requests;
  /** What the server offers on this connection, as it is shown; undefined when it has not listed anything yet. */
  offered(): Offered | undefined;
  /** True while the server waits for an answer of the caller, which is not the server's time. */
  waiting(): boolean;
}

/** A sign-in that a call waits for, or that the caller is told to make. */
export interface ConsentRequest {
  readonly id: string;
  /** `tenant:group:server`. */
  readonly server: string;
  /** The address to open in a browser. */
  readonly url: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** True when it was given; false when it lapsed or failed, or `signal` aborts. */
  given(signal: AbortSignal): Promise<boolean>;
}

/** A call that waits for approval, as its caller is told. */
export interface ApprovalRequest {
  readonly id: string;
  /** `tenant:group:server`. */
  readonly server: string;
  readonly tool: string;
  /** Where a person decides. */
  readonly url: string;
  /** What is waited for, in words for a person. */
  readonly message: string;
  /** What is asked of whoever decides: why, and with which arguments. */
  readonly question: string;
  readonly approvers: readonly string[];
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** The caller may decide it. */
  readonly own: boolean;
}

/** Why a call was given up that will be made again: its run goes on after a restart of the gateway. */
export class Suspended extends Error {}

/** The word of a caller who was asked. */
export interface ApprovalAnswer {
  readonly approve: boolean;
  readonly reason?: string | undefined;
}

/** How a caller takes part in an approval. Without it the call waits for a while, and is then refused. */
export interface ApprovalTalk {
  /** Waits for as long as the request can be decided. */
  readonly patient: boolean;
  readonly required?: ((request: ApprovalRequest) => void) | undefined;
  readonly resolved?: ((id: string, verdict: ApprovalVerdict) => void) | undefined;
  /**
   * Asks the caller's own word, where they may give it. Undefined when there is none to be had; `later` when they
   * answer with another try.
   */
  readonly ask?:
    | ((request: ApprovalRequest, signal: AbortSignal) => Promise<ApprovalAnswer | undefined> | 'later')
    | undefined;
}

export interface ApprovalVerdict {
  readonly verdict: 'approved' | 'denied' | 'expired' | 'cancelled';
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

/** One call of an MCP server, on its way through the pipeline. */
export interface Call {
  /** W3C trace id, 32 lower-case hex digits. */
  readonly traceId: string;
  /** The agent run the call belongs to. */
  readonly runId?: string;
  readonly source: CallSource;
  /** `provider/model` that asked for the call. */
  readonly model?: string;
  readonly principal: Principal | undefined;
  /** The MCP session it came in, by id; a server's processes may be kept apart by it. */
  readonly session?: string;
  readonly target: CallTarget;
  /** The MCP method, where the kind of target has more than one. */
  readonly method?: 'resources/subscribe' | 'resources/unsubscribe';
  readonly own?: OwnConnection | undefined;
  /** The caller's own; without it the server is told of a caller that cannot be asked anything. */
  readonly envelope?: Envelope | undefined;
  /** The request's `params`, with a tool's name and arguments as the caller knows them; `_meta` without `progressToken`. */
  readonly params: JsonObject;
  /** Aborted when the caller gives up. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /**
   * Tells the caller where to sign in; `why` is in words for a person. False when the caller does not want to. Without it
   * the call is refused and says where.
   */
  readonly onConsent?: (consent: ConsentRequest, why: string) => Promise<boolean>;
  readonly approvalTalk?: ApprovalTalk | undefined;
  /** In place of a new call of the target: a page of what an earlier one came to. */
  readonly page?: { readonly reference: string; readonly page: number } | undefined;
  /** What the caller says of the call (`x-toolgate-metadata`). */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Told of what policies note on the way, as it happens. */
  readonly onNote?: ((note: Note) => void) | undefined;
  /** The caller wants no answer that was kept (`Cache-Control: no-cache`). */
  readonly fresh?: boolean | undefined;
  /** Its places among the calls that may be under way at once: not held while a person thinks. */
  readonly places?: Places | undefined;
  /** What stages learn on the way, for the record. */
  readonly facts: CallFacts;
}

export interface Places {
  release(): void;
  /** Takes them again; else why there are none. */
  retake(): Promise<Refusal | undefined>;
}

export interface CallFacts {
  /** Milliseconds spent waiting for the upstream server. */
  upstreamMs: number;
  requestBytes: number | null;
  responseBytes: number | null;
  /** How often the server was called again. */
  retries: number;
  /** How a kept result was looked for, where it was. */
  cache: 'hit' | 'miss' | 'bypass' | null;
  /** The approval that let the call through, by id. */
  approval: string | null;
  /** What policies noted without refusing. */
  readonly notes: Note[];
}

/** What a policy found of a call that went on. */
export interface Note {
  /** The policy's name or place. */
  readonly rule: string;
  /** `audited`: it would have refused; `changed`: it changed what passes; `failed`: it broke and was passed over. */
  readonly effect: 'audited' | 'changed' | 'failed';
  readonly message: string;
}

/** Puts a note down, and tells of it. */
export function note(
  { facts, onNote }: { readonly facts: { readonly notes: Note[] }; readonly onNote?: Call['onNote'] },
  one: Note,
): void {
  facts.notes.push(one);
  onNote?.(one);
}

/** The facts of a call that begins. */
export function newFacts(requestBytes: number | null): CallFacts {
  return {
    upstreamMs: 0,
    requestBytes,
    responseBytes: null,
    retries: 0,
    cache: null,
    approval: null,
    notes: [],
  };
}

/** Why a call was refused or failed. */
export type RefusalReason =
  | 'unauthenticated'
  /** There is no such target, or the caller may not know of it: never told apart. */
  | 'not-found'
  /** The target's definition is new or has changed, and nobody has accepted it: told only to who may use it. */
  | 'quarantined'
  /** It may be used, and not like this: with these arguments, by this model or at this time. */
  | 'forbidden'
  | 'invalid-arguments'
  /** A rate limit or quota: `retryAfterMs` says when to come back. */
  | 'rate-limited'
  /** What may be spent is spent. */
  | 'budget-exhausted'
  /** As many calls as allowed are under way. */
  | 'overloaded'
  /** The server failed too often and is left in peace for a while. */
  | 'circuit-open'
  /** A guardrail. */
  | 'blocked'
  /** Arguments or a result beyond a bound. */
  | 'too-large'
  /** Somebody has to approve the call first; the refusal says where. */
  | 'approval-required'
  | 'approval-denied'
  | 'timeout'
  | 'cancelled'
  | 'upstream-unavailable'
  /** What the server asks each person for was not given, or somebody has to sign in there. */
  | 'auth-required'
  /** The server needs something of the caller (elicitation, sampling, roots) that there is no way to get. */
  | 'input-required'
  /** The upstream server answered with a JSON-RPC error, kept in `upstreamError`. */
  | 'upstream-error';

export interface Refusal {
  readonly reason: RefusalReason;
  /** What happened and what to do, fit for the caller and for a model. */
  readonly message: string;
  /** The rule that decided, for the record and for administrators. */
  readonly rule?: string;
  /** Milliseconds after which the same call may pass. */
  readonly retryAfterMs?: number;
  /** With `auth-required`: the server, by id, that somebody has to sign in at. */
  readonly lacksConsent?: string;
  /** Where the caller can do that. */
  readonly consent?: ConsentRequest;
  /** With `approval-required`: the request. */
  readonly approval?: ApprovalRequest;
  /** What went wrong between the gateway and the server, where that is why. */
  readonly fault?: Fault;
  /** The upstream's own JSON-RPC error, byte for byte. */
  readonly upstreamError?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

/** A failure of transport, not of what was called; `refused` is one that the request brought about (HTTP 4xx). */
export interface Fault {
  readonly cause: 'connect' | 'lost' | 'timeout' | '429' | '502' | '503' | '504' | 'status' | 'refused';
  /** The request has certainly not reached the server. */
  readonly unsent: boolean;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfterMs?: number | undefined;
}

/** Why a call was given up: it took longer than this setting allows. */
export class TimedOut extends Error {
  readonly setting: string;

  constructor(setting: string, message: string) {
    super(message);
    this.setting = setting;
  }
}

/** A call's end: the upstream's `result` untouched, or a refusal. */
export type Outcome =
  { readonly ok: true; readonly result: JsonObject } | { readonly ok: false; readonly refusal: Refusal };

/** A stage wraps the rest of the pipeline. It never throws: a failure is an `Outcome`. */
export type Stage = (call: Call, next: Next) => Promise<Outcome>;
export type Next = (call: Call) => Promise<Outcome>;

/** The one way to reach an MCP server's tools, resources and prompts. */
export interface Pipeline {
  run(call: Call): Promise<Outcome>;
}
