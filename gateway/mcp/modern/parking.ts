import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../contract/json.ts';
import type { Progress } from '../../pipeline/call.ts';
import { JsonRpcError } from '../../upstream/errors.ts';
import { CODES } from '../jsonrpc.ts';
import type { Route } from '../relay.ts';
import { answerFault, declares, kindOf } from './questions.ts';

/** One exchange of a call with its client: the first request, or a retry of it. */
export interface Round {
  /** Aborted when the client closes the exchange, or its time is up: the call is cancelled at the server. */
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Takes what the server says meanwhile. */
  readonly notify: (method: string, params: JsonObject) => void;
}

/** How a call is sent to its server: not bound to any exchange. */
export interface Upstream {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  readonly route: Route;
}

/** A call of a modern client at a server of the legacy era, which may ask back while it works. */
export interface ParkedCall {
  readonly id: string;
  /** How many rounds it has had. */
  readonly rounds: number;
  /** Takes what the server says that belongs to the call, or may. */
  readonly route: Route;
  /** True while an exchange of the client waits for it. */
  readonly attended: boolean;
  /** True while it is parked: the server waits for answers. */
  readonly waiting: boolean;
  /** Throws a `JsonRpcError` for an answer that cannot be one; ignores what was not asked. */
  answer(responses: JsonObject): void;
  /**
   * Resolves with the result, or with an `input_required` one while the server waits for answers: then the call is
   * parked until its next round, and given up when none comes in time.
   */
  attend(round: Round): Promise<JsonObject>;
  /** Settles when the call has ended and left the parking. */
  readonly over: Promise<void>;
}

export interface Parking {
  begin(
    owner: { readonly tokenId: string; readonly capabilities: JsonObject },
    send: (upstream: Upstream) => Promise<JsonObject>,
  ): ParkedCall;
  /** The call of that id, when it waits for this round of this owner. */
  find(id: string, round: number, tokenId: string): ParkedCall | undefined;
  close(): void;
}

/** How long a call stays parked: a person may have to answer. */
export const PARKED_MS = 10 * 60_000;
const MAX_PARKED = 1_024;
const MAX_PARKED_EACH = 32;
/** Servers often ask several things at once; they go out together. */
const GATHER_MS = 50;
const MAX_QUESTIONS = 64;

interface Question {
  readonly method: string;
  readonly params: JsonObject;
  readonly resolve: (answer: JsonObject) => void;
  readonly reject: (error: Error) => void;
}

interface Attending {
  readonly round: Round;
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: unknown) => void;
}

type Ending = { readonly result: JsonObject } | { readonly error: unknown };

export function createParking(): Parking {
  const calls = new Map<string, Call>();
  const room = (tokenId: string): string | undefined => {
    const parked = [...calls.values()].filter(({ attended }) => !attended);
    if (parked.filter((call) => call.tokenId === tokenId).length >= MAX_PARKED_EACH)
      return `${MAX_PARKED_EACH} calls of yours wait for answers, the limit; answer or let some lapse`;
    return parked.length >= MAX_PARKED ? 'too many calls wait for answers; try again later' : undefined;
  };
  return {
    begin: ({ tokenId, capabilities }, send) => {
      const call = new Call(tokenId, capabilities, () => room(tokenId));
      calls.set(call.id, call);
      void call.over.then(() => calls.delete(call.id));
      call.start(send);
      return call;
    },
    find: (id, round, tokenId) => {
      const call = calls.get(id);
      return call?.tokenId === tokenId && call.rounds === round && !call.attended ? call : undefined;
    },
    close: () => {
      for (const call of [...calls.values()]) call.cancel(new Error('the gateway is stopping'));
    },
  };
}

class Call implements ParkedCall {
  readonly id = randomBytes(16).toString('base64url');
  readonly tokenId: string;
  readonly over: Promise<void>;
  readonly route: Route;
  rounds = 0;
  private readonly room: () => string | undefined;
  private readonly upstream = new AbortController();
  private readonly questions = new Map<string, Question>();
  private asked = 0;
  private attending: Attending | undefined;
  private ending: Ending | undefined;
  private gathering: NodeJS.Timeout | undefined;
  private lapse: NodeJS.Timeout | undefined;
  private leave: () => void = () => undefined;

  constructor(tokenId: string, capabilities: JsonObject, room: () => string | undefined) {
    this.tokenId = tokenId;
    this.room = room;
    this.over = new Promise((resolve) => (this.leave = resolve));
    this.route = {
      deliver: (method, params) => this.attending?.round.notify(method, params),
      announce: () => undefined,
      ask: (method, params, signal) => this.ask(capabilities, method, params, signal),
    };
  }

  get attended(): boolean {
    return this.attending !== undefined;
  }

  get waiting(): boolean {
    return this.attending === undefined && this.questions.size > 0;
  }

  start(send: (upstream: Upstream) => Promise<JsonObject>): void {
    const onProgress = (progress: Progress): void => this.attending?.round.onProgress?.(progress);
    send({ signal: this.upstream.signal, onProgress, route: this.route }).then(
      (result) => this.end({ result }),
      (error: unknown) => this.end({ error }),
    );
  }

  answer(responses: JsonObject): void {
    const known = [...this.questions].filter(([key]) => Object.hasOwn(responses, key));
    for (const [key, { method }] of known) {
      const fault = answerFault(method, responses[key]);
      if (fault !== undefined) throw new JsonRpcError(CODES.invalidParams, `inputResponses.${key} ${fault}`);
    }
    for (const [key, { resolve }] of known) {
      this.questions.delete(key);
      resolve(responses[key] as JsonObject);
    }
  }

  attend(round: Round): Promise<JsonObject> {
    clearTimeout(this.lapse);
    this.rounds++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.cancel(round.signal.reason);
      const done = (): void => {
        round.signal.removeEventListener('abort', onAbort);
        this.attending = undefined;
      };
      this.attending = {
        round,
        resolve: (result) => {
          done();
          resolve(result);
        },
        reject: (error) => {
          done();
          reject(error instanceof Error ? error : new Error(String(error)));
        },
      };
      round.signal.addEventListener('abort', onAbort, { once: true });
      if (round.signal.aborted) onAbort();
      else this.tell();
    });
  }

  cancel(reason: unknown): void {
    this.upstream.abort(reason);
    this.end({ error: reason });
    this.depart();
  }

  private ask(
    capabilities: JsonObject,
    method: string,
    params: JsonObject,
    signal: AbortSignal,
  ): Promise<JsonObject> {
    if (!declares(capabilities, method, params))
      return Promise.reject(
        new JsonRpcError(CODES.methodNotFound, `the client does not offer this ${method}`),
      );
    if (this.ending !== undefined || this.questions.size >= MAX_QUESTIONS)
      return Promise.reject(new JsonRpcError(CODES.refused, 'the client cannot be asked any more'));
    const key = `${kindOf(method)}-${++this.asked}`;
    return new Promise((resolve, reject) => {
      const withdrawn = (): void => {
        this.questions.delete(key);
        reject(new JsonRpcError(CODES.refused, 'the server took the request back'));
      };
      signal.addEventListener('abort', withdrawn, { once: true });
      this.questions.set(key, {
        method,
        params,
        resolve: (answer) => {
          signal.removeEventListener('abort', withdrawn);
          resolve(answer);
        },
        reject,
      });
      this.tell();
    });
  }

  private end(ending: Ending): void {
    if (this.ending !== undefined) return;
    this.ending = ending;
    for (const { reject } of this.questions.values()) reject(new Error('the call has ended'));
    this.questions.clear();
    this.tell();
  }

  /** Tells the exchange that waits, if one does, what there is to tell. */
  private tell(): void {
    const { attending, ending } = this;
    if (attending === undefined) return;
    if (ending !== undefined) {
      if ('result' in ending) attending.resolve(ending.result);
      else attending.reject(ending.error);
      this.depart();
    } else if (this.questions.size > 0) this.gathering ??= setTimeout(() => this.park(), GATHER_MS);
  }

  private park(): void {
    this.gathering = undefined;
    if (this.attending === undefined || this.ending !== undefined || this.questions.size === 0) return;
    const full = this.room();
    if (full !== undefined) return this.cancel(new JsonRpcError(CODES.refused, full));
    const requests = [...this.questions].map(([key, { method, params }]) => [key, { method, params }]);
    this.attending.resolve({
      resultType: 'input_required',
      inputRequests: Object.fromEntries(requests) as JsonObject,
    });
    const late = new JsonRpcError(CODES.refused, 'the client did not answer in time');
    this.lapse = setTimeout(() => this.cancel(late), PARKED_MS).unref();
  }

  private depart(): void {
    clearTimeout(this.gathering);
    clearTimeout(this.lapse);
    this.leave();
  }
}
