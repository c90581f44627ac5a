import type { PlaygroundMethod } from '../gateway/contract/playground.ts';
import type { SignInRequest, SignInState } from '../gateway/contract/sign-in.ts';
import { BrowserSession } from './browser-session.ts';
import type { Host, HostState, Reply, SignInWay } from './host.ts';
import { readEvents } from './sse.ts';
import { refusalWords, thrownWords } from './words.ts';

const REQUEST_TIMEOUT_MS = 30_000;
const BACK_OFF_MS = { first: 1_000, longest: 30_000 } as const;
const STATE_KEY = 'toolgate.playground';

/** The web console's host: talks to the gateway that served the page, as whoever signed in to it. */
export class HttpHost implements Host {
  readonly kind = 'console';
  readonly #window: Window & typeof globalThis;
  readonly #session: BrowserSession;
  #onState: (state: HostState) => void = () => undefined;
  #onRegistryChanged: () => void = () => undefined;
  #signIn: SignInState | undefined;
  /** What was told last. */
  #last: HostState = { status: 'starting' };
  /** Of a one-time link that was opened and is not spent yet. */
  #code: string | undefined;
  /** Ends the event stream of before, when somebody signs in. */
  #connection = new AbortController();

  constructor(window: Window & typeof globalThis) {
    this.#window = window;
    this.#session = new BrowserSession(window);
  }

  onState(listener: (state: HostState) => void): void {
    this.#onState = listener;
  }

  onRegistryChanged(listener: () => void): void {
    this.#onRegistryChanged = listener;
  }

  start(): void {
    this.#window.addEventListener('hashchange', () => {
      this.#arrive(false);
    });
    // Taken up again as it was left, it may be somebody else's by now.
    this.#window.addEventListener('pageshow', ({ persisted }) => {
      if (persisted) this.#connect();
    });
    this.#arrive(true);
  }

  signIn(way: SignInWay): void {
    if (way === 'link') {
      if (this.#code !== undefined) void this.#spend({ code: this.#code });
      this.#code = undefined;
    } else if ('token' in way) void this.#spend({ token: way.token.trim() });
    else this.#session.goTo(way.issuer).catch(this.#refused);
  }

  dismissLink(): void {
    this.#code = undefined;
    this.#connect();
  }

  dismissApproval(): void {
    this.#session.approval = undefined;
    this.#onState({ ...this.#last, approval: undefined });
  }

  signOut(): void {
    this.#connection.abort();
    void this.#session.signOut();
  }

  async request(method: PlaygroundMethod, path: string, body?: unknown): Promise<Reply> {
    try {
      const response = await this.#fetch(method, path, body, AbortSignal.timeout(REQUEST_TIMEOUT_MS));
      return { status: response.status, body: await readBody(response) };
    } catch {
      return { status: 0, body: this.#unreachable() };
    }
  }

  async run(
    body: unknown,
    onEvent: (event: string, data: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const abort = new AbortController();
    signal.addEventListener('abort', () => {
      abort.abort();
    });
    const timer = setTimeout(() => {
      abort.abort();
    }, REQUEST_TIMEOUT_MS);
    let response: Response;
    try {
      response = await this.#fetch('POST', '/api/llm/agent/responses', body, abort.signal);
    } catch {
      throw new Error(this.#unreachable());
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw new Error(refusalWords(response.status, await readBody(response)));
    try {
      await readEvents(response, onEvent);
    } catch {
      throw new Error(
        'The connection to the gateway broke while the run was going on. Is the gateway still running?',
      );
    }
  }

  open(url: string): void {
    this.#window.open(url, '_blank', 'noopener');
  }

  async copy(text: string): Promise<void> {
    try {
      await this.#window.navigator.clipboard.writeText(text);
    } catch {
      throw new Error(
        'The browser did not allow it: copying needs HTTPS or localhost, and a focused window.',
      );
    }
  }

  command(): void {
    // Nothing to start or open from a browser: the gateway's operator does that.
  }

  load(): unknown {
    try {
      return JSON.parse(this.#window.sessionStorage.getItem(STATE_KEY) ?? 'null');
    } catch {
      return undefined;
    }
  }

  save(state: unknown): void {
    this.#window.sessionStorage.setItem(STATE_KEY, JSON.stringify(state));
  }

  /** What the address brought: a link is used at once, unless somebody is signed in. */
  #arrive(first: boolean): void {
    const arrival = this.#session.arrive();
    if (arrival?.code !== undefined) this.#code = arrival.code;
    if (first || arrival !== undefined) this.#connect(arrival?.problem);
  }

  async #spend(how: SignInRequest): Promise<void> {
    try {
      await this.#session.signIn(how);
      this.#connect();
    } catch (error) {
      this.#refused(error);
    }
  }

  readonly #refused = (error: unknown): void => {
    const words = error instanceof TypeError ? this.#unreachable() : thrownWords(error);
    this.#connect(words);
  };

  /** `problem` is shown where nobody is signed in. */
  #connect(problem?: string): void {
    this.#connection.abort();
    this.#connection = new AbortController();
    void this.#follow(this.#connection.signal, problem);
  }

  /** Follows the gateway's event stream, and again with growing pauses when it breaks, until `signal`. */
  async #follow(signal: AbortSignal, problem: string | undefined): Promise<void> {
    let pause: number = BACK_OFF_MS.first;
    while (!signal.aborted) {
      const outcome = await this.#followOnce(signal, problem, () => {
        pause = BACK_OFF_MS.first;
      });
      this.#report(outcome, signal);
      if (outcome.status === 'unauthenticated') return;
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, BACK_OFF_MS.longest);
    }
  }

  /** Resolves with the state after the stream ended or was refused. */
  async #followOnce(
    signal: AbortSignal,
    problem: string | undefined,
    connected: () => void,
  ): Promise<HostState> {
    try {
      const refusal = await this.#identify(signal);
      if (refusal !== undefined) return { status: 'unauthenticated', error: refusal.error ?? problem };
      const response = await this.#fetch('GET', '/api/v1/events', undefined, signal);
      if (response.status === 401) {
        this.#signIn = { signedIn: null, issuers: this.#signIn?.issuers ?? [] };
        return { status: 'unauthenticated', error: refusalWords(401, await readBody(response)) };
      }
      if (!response.ok) {
        return { status: 'failed', error: refusalWords(response.status, await readBody(response)) };
      }
      connected();
      this.#report({ status: 'running' }, signal);
      this.#onRegistryChanged();
      await readEvents(response, (event) => {
        if (event === 'registry') this.#onRegistryChanged();
      });
    } catch {
      // Said below: an aborted or broken connection looks the same from here.
    }
    return { status: 'stopped', error: this.#unreachable() };
  }

  /** Finds out who is signed in, and uses the link that was opened if nobody is. Undefined when somebody is. */
  async #identify(signal: AbortSignal): Promise<{ error?: string } | undefined> {
    this.#signIn = await this.#session.state(signal);
    const code = this.#code;
    if (this.#signIn.signedIn === null && code !== undefined) {
      this.#code = undefined;
      try {
        await this.#session.signIn({ code });
      } catch (error) {
        return { error: thrownWords(error) };
      }
      this.#signIn = await this.#session.state(signal);
    }
    const { signedIn } = this.#signIn;
    if (signedIn === null) return {};
    // The page is about to load anew.
    if (!this.#session.takeOver(signedIn.subject)) await new Promise(() => undefined);
    return undefined;
  }

  /** Says nothing any more once the connection that found it out has been replaced. */
  #report(state: HostState, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#last = {
      ...state,
      approval: this.#session.approval,
      address: this.#window.location.origin,
      signIn: this.#signIn,
      linkWaits: this.#code !== undefined && this.#signIn?.signedIn != null,
    };
    this.#onState(this.#last);
  }

  #fetch(method: string, path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    return this.#window.fetch(path, {
      method,
      signal,
      cache: 'no-store',
      credentials: 'same-origin',
      headers: {
        ...this.#session.headers(),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  #unreachable(): string {
    return `The gateway at ${this.#window.location.origin} does not answer. Start it with “toolgate serve”; this page connects again by itself.`;
  }
}

async function readBody(response: Response): Promise<unknown> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
