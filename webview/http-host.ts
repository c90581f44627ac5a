import type { Host, HostState, Reply } from './host.ts';
import { readEvents } from './sse.ts';
import { refusalWords } from './words.ts';

const REQUEST_TIMEOUT_MS = 30_000;
const BACK_OFF_MS = { first: 1_000, longest: 30_000 } as const;
const TOKEN_KEY = 'toolgate.token';
const STATE_KEY = 'toolgate.playground';

/**
 * The web console's host: talks to the gateway that served the page, with a token that lives in this tab's
 * session storage and comes from the address (`#token=…`, taken out of it at once) or from the user.
 */
export class HttpHost implements Host {
  readonly kind = 'console';
  readonly #window: Window & typeof globalThis;
  #onState: (state: HostState) => void = () => undefined;
  #onRegistryChanged: () => void = () => undefined;
  /** Ends the event stream of the token before, when another is used. */
  #connection = new AbortController();

  constructor(window: Window & typeof globalThis) {
    this.#window = window;
  }

  onState(listener: (state: HostState) => void): void {
    this.#onState = listener;
  }

  onRegistryChanged(listener: () => void): void {
    this.#onRegistryChanged = listener;
  }

  start(): void {
    this.#takeTokenFromAddress();
    this.#window.addEventListener('hashchange', () => {
      if (this.#takeTokenFromAddress()) this.#connect();
    });
    this.#connect();
  }

  authenticate(token: string): void {
    this.#window.sessionStorage.setItem(TOKEN_KEY, token.trim());
    this.#connect();
  }

  async request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Reply> {
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

  /** True when there was one. It leaves the address bar and the history at once. */
  #takeTokenFromAddress(): boolean {
    const { hash, pathname, search } = this.#window.location;
    const token = new URLSearchParams(hash.slice(1)).get('token');
    if (token === null || token === '') return false;
    this.#window.sessionStorage.setItem(TOKEN_KEY, token);
    this.#window.history.replaceState(null, '', pathname + search);
    return true;
  }

  #connect(): void {
    this.#connection.abort();
    this.#connection = new AbortController();
    void this.#follow(this.#connection.signal);
  }

  /** Follows the gateway's event stream, and again with growing pauses when it breaks, until `signal`. */
  async #follow(signal: AbortSignal): Promise<void> {
    let pause: number = BACK_OFF_MS.first;
    while (!signal.aborted) {
      if (this.#window.sessionStorage.getItem(TOKEN_KEY) === null) {
        this.#report({ status: 'unauthenticated' }, signal);
        return;
      }
      const outcome = await this.#followOnce(signal, () => {
        pause = BACK_OFF_MS.first;
      });
      this.#report(outcome, signal);
      if (outcome.status === 'unauthenticated') return;
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, BACK_OFF_MS.longest);
    }
  }

  /** Resolves with the state after the stream ended or was refused. */
  async #followOnce(signal: AbortSignal, connected: () => void): Promise<HostState> {
    try {
      const response = await this.#fetch('GET', '/api/v1/events', undefined, signal);
      if (response.status === 401) {
        this.#window.sessionStorage.removeItem(TOKEN_KEY);
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

  /** Says nothing any more once the connection that found it out has been replaced. */
  #report(state: HostState, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.#onState({ ...state, address: this.#window.location.origin });
  }

  #fetch(method: string, path: string, body: unknown, signal: AbortSignal): Promise<Response> {
    const token = this.#window.sessionStorage.getItem(TOKEN_KEY) ?? '';
    return this.#window.fetch(path, {
      method,
      signal,
      cache: 'no-store',
      headers: {
        authorization: `Bearer ${token}`,
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
