import { playgroundMessageSchema } from '../gateway/contract/playground.ts';
import type {
  PlaygroundMessage,
  PlaygroundMethod,
  PlaygroundRequest,
} from '../gateway/contract/playground.ts';
import type { Host, HostCommand, HostState, Reply } from './host.ts';

const REQUEST_TIMEOUT_MS = 30_000;

/** What VS Code gives a webview by `acquireVsCodeApi()`. */
export interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

interface ActiveRun {
  readonly onEvent: (event: string, data: string) => void;
  readonly end: (error?: string) => void;
}

/** VS Code's host: every request is a message to the extension, which holds the gateway's address and token. */
export class VsCodeHost implements Host {
  readonly kind = 'editor';
  readonly #api: VsCodeApi;
  readonly #window: Window;
  readonly #replies = new Map<number, (reply: Reply) => void>();
  readonly #runs = new Map<number, ActiveRun>();
  #lastId = 0;
  #running = false;
  #onState: (state: HostState) => void = () => undefined;
  #onRegistryChanged: () => void = () => undefined;

  constructor(api: VsCodeApi, window: Window) {
    this.#api = api;
    this.#window = window;
  }

  onState(listener: (state: HostState) => void): void {
    this.#onState = listener;
  }

  onRegistryChanged(listener: () => void): void {
    this.#onRegistryChanged = listener;
  }

  start(): void {
    this.#window.addEventListener('message', (event: MessageEvent<unknown>) => {
      const message = playgroundMessageSchema.safeParse(event.data);
      if (message.success) this.#receive(message.data);
    });
    this.#post({ type: 'ready' });
  }

  request(method: PlaygroundMethod, path: string, body?: unknown): Promise<Reply> {
    const id = (this.#lastId += 1);
    return new Promise((resolve) => {
      const settle = (reply: Reply): void => {
        clearTimeout(timer);
        this.#replies.delete(id);
        resolve(reply);
      };
      const timer = setTimeout(() => {
        settle({ status: 0, body: `The gateway did not answer ${path} within 30 s.` });
      }, REQUEST_TIMEOUT_MS);
      this.#replies.set(id, settle);
      this.#post({ type: 'request', id, method, path, ...(body !== undefined && { body }) });
    });
  }

  run(body: unknown, onEvent: (event: string, data: string) => void, signal: AbortSignal): Promise<void> {
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      const end = (error?: string): void => {
        this.#runs.delete(id);
        if (error === undefined) resolve();
        else reject(new Error(error));
      };
      signal.addEventListener('abort', () => {
        end();
      });
      this.#runs.set(id, { onEvent, end });
      this.#post({ type: 'run', id, body });
    });
  }

  open(url: string): void {
    this.#post({ type: 'open', url });
  }

  copy(text: string): Promise<void> {
    this.#post({ type: 'copy', text });
    return Promise.resolve();
  }

  command(command: HostCommand): void {
    this.#post({ type: 'command', command });
  }

  signIn(): void {
    // The extension signs in with the token it keeps in VS Code's secret storage.
  }

  dismissLink(): void {
    // Links are for browsers.
  }

  dismissApproval(): void {
    // The editor shows approvals itself.
  }

  signOut(): void {
    // Nobody is signed in but the user of VS Code.
  }

  load(): unknown {
    return this.#api.getState();
  }

  save(state: unknown): void {
    this.#api.setState(state);
  }

  #post(message: PlaygroundRequest): void {
    this.#api.postMessage(message);
  }

  #receive(message: PlaygroundMessage): void {
    switch (message.type) {
      case 'state': {
        const started = message.state.status === 'running' && !this.#running;
        this.#running = message.state.status === 'running';
        this.#onState(message.state);
        if (started) this.#onRegistryChanged();
        return;
      }
      case 'registryChanged':
        this.#onRegistryChanged();
        return;
      case 'reply':
        this.#replies.get(message.id)?.({ status: message.status, body: message.body });
        return;
      case 'stream':
        this.#runs.get(message.id)?.onEvent(message.event, message.data);
        return;
      case 'end':
        this.#runs.get(message.id)?.end(message.error);
    }
  }
}
