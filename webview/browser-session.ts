import {
  issuerAnswerSchema,
  ISSUERS_PATH,
  PAGE_KEY_HEADER,
  SIGN_IN_PATH,
  SIGN_IN_PROBLEMS,
  signInStateSchema,
  type SignInProblem,
  type SignInRequest,
  type SignInState,
} from '../gateway/contract/sign-in.ts';
import { refusalWords } from './words.ts';

const PAGE_KEY = 'toolgate.pageKey';
const SUBJECT_KEY = 'toolgate.subject';
const APPROVAL_KEY = 'toolgate.approval';
const TIMEOUT_MS = 30_000;

/** What the address of the page brought along; it leaves the address bar and the history at once. */
export interface Arrival {
  /** The code of a one-time link. */
  readonly code?: string;
  /** Why a sign-in did not succeed, in words. */
  readonly problem?: string;
}

/**
 * How this browser is signed in: a cookie that no script reads, and a key that only this page has. The key is kept for
 * all tabs of this origin, and forgotten when somebody signs out.
 */
export class BrowserSession {
  readonly #window: Window & typeof globalThis;

  constructor(window: Window & typeof globalThis) {
    this.#window = window;
  }

  /** Reads and empties the fragment of the address; undefined when it holds nothing for us. */
  arrive(): Arrival | undefined {
    const { hash, pathname, search } = this.#window.location;
    const given = new URLSearchParams(hash.slice(1));
    const [code, problem, token, approval] = ['code', 'problem', 'token', 'approval'].map((name) =>
      given.get(name),
    );
    if (approval != null && /^[\w-]{1,100}$/.test(approval)) this.approval = approval;
    if (approval != null && code == null && problem == null && token == null) {
      this.#window.history.replaceState(null, '', pathname + search);
      return {};
    }
    if (code == null && problem == null && token == null) return undefined;
    this.#window.history.replaceState(null, '', pathname + search);
    if (token != null)
      return { problem: 'A token in an address ends up in places that keep it, so it is not taken there.' };
    if (code != null) return { code };
    const known = problem != null && Object.hasOwn(SIGN_IN_PROBLEMS, problem);
    return {
      problem: known ? SIGN_IN_PROBLEMS[problem as SignInProblem] : 'The sign-in did not succeed. Try again.',
    };
  }

  /** The approval that was asked for, kept in this tab over a sign-in until it has been looked at. */
  get approval(): string | undefined {
    return this.#window.sessionStorage.getItem(APPROVAL_KEY) ?? undefined;
  }

  set approval(id: string | undefined) {
    if (id === undefined) this.#window.sessionStorage.removeItem(APPROVAL_KEY);
    else this.#window.sessionStorage.setItem(APPROVAL_KEY, id);
  }

  /** The headers of a request of this page. */
  headers(): Record<string, string> {
    const key = this.#window.localStorage.getItem(PAGE_KEY);
    return key === null ? {} : { [PAGE_KEY_HEADER]: key };
  }

  /** Who is signed in, and how one can be. Rejects when the gateway does not answer. */
  async state(signal: AbortSignal): Promise<SignInState> {
    const response = await this.#fetch('GET', SIGN_IN_PATH, undefined, signal);
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(refusalWords(response.status, body));
    return signInStateSchema.parse(body);
  }

  /** Signs in. Rejects with words for the user when that is refused. */
  async signIn(how: SignInRequest): Promise<void> {
    this.#makeKey();
    const response = await this.#fetch('POST', SIGN_IN_PATH, how, AbortSignal.timeout(TIMEOUT_MS));
    if (!response.ok) throw new Error(refusalWords(response.status, await response.json()));
  }

  /** Goes to an OpenID provider, which sends the browser back here. Rejects as `signIn` does. */
  async goTo(issuer: string): Promise<void> {
    this.#makeKey();
    const { pathname, search } = this.#window.location;
    const path = `${ISSUERS_PATH}/${issuer}`;
    const wanted = { returnTo: pathname + search };
    const response = await this.#fetch('POST', path, wanted, AbortSignal.timeout(TIMEOUT_MS));
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(refusalWords(response.status, body));
    this.#window.location.assign(issuerAnswerSchema.parse(body).location);
  }

  /** Signs out. Without its key the cookie is worth nothing, so this holds even when the gateway does not answer. */
  async signOut(): Promise<void> {
    const done = this.#fetch('DELETE', SIGN_IN_PATH, undefined, AbortSignal.timeout(TIMEOUT_MS));
    await done.catch(() => undefined);
    this.#window.localStorage.removeItem(PAGE_KEY);
    this.#window.sessionStorage.clear();
    this.#window.location.reload();
  }

  /** False when the tab holds what another person left: then it is emptied, and the page loads anew. */
  takeOver(subject: string): boolean {
    const { sessionStorage, location } = this.#window;
    const before = sessionStorage.getItem(SUBJECT_KEY);
    const same = before === null || before === subject;
    const { approval } = this;
    if (!same) sessionStorage.clear();
    // Whoever opened its address is whoever signed in after it.
    if (!same) this.approval = approval;
    sessionStorage.setItem(SUBJECT_KEY, subject);
    if (!same) location.reload();
    return same;
  }

  #makeKey(): void {
    if (this.#window.localStorage.getItem(PAGE_KEY) !== null) return;
    const bytes = this.#window.crypto.getRandomValues(new Uint8Array(32));
    const text = this.#window.btoa(String.fromCharCode(...bytes));
    const key = text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
    this.#window.localStorage.setItem(PAGE_KEY, key);
  }

  #fetch(method: string, path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    return this.#window.fetch(path, {
      method,
      signal,
      cache: 'no-store',
      credentials: 'same-origin',
      headers: { ...this.headers(), ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }
}
