import type { SignInState } from '../gateway/contract/sign-in.ts';
import type { GatewayState, PlaygroundMethod, PlaygroundRequest } from '../gateway/contract/playground.ts';

/** How the gateway is, as the page's host sees it. Only the console asks the user to sign in. */
export interface HostState extends Omit<GatewayState, 'status' | 'address' | 'error'> {
  readonly status: GatewayState['status'] | 'unauthenticated';
  /** The gateway's base address, without a slash at its end. */
  readonly address?: string | undefined;
  /** What went wrong and what to do. */
  readonly error?: string | undefined;
  /** The console's alone: who is signed in, and by which issuers one can be. */
  readonly signIn?: SignInState | undefined;
  /** A one-time link was opened while somebody is signed in already: it waits for the user's word. */
  readonly linkWaits?: boolean | undefined;
  /** The console's alone: the approval that the address of the page asks for, by its id. */
  readonly approval?: string | undefined;
}

/** How to sign in: with a token, at an OpenID provider, or with the one-time link that waits. */
export type SignInWay = { readonly token: string } | { readonly issuer: string } | 'link';

/** An answer of the gateway; `status` 0 when there was none, and `body` then says why. */
export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

export type HostCommand = Extract<PlaygroundRequest, { type: 'command' }>['command'];

/** What the page needs of the place it runs in: VS Code's webview, or a browser at the gateway's own address. */
export interface Host {
  readonly kind: 'editor' | 'console';
  /** Calls `listener` after each change of the gateway's state. Nothing is called before `start`. */
  onState(listener: (state: HostState) => void): void;
  /** Calls `listener` whenever the registry should be read (again). */
  onRegistryChanged(listener: () => void): void;
  start(): void;
  /** One request to the gateway. Never rejects; waits 30 s at the longest. */
  request(method: PlaygroundMethod, path: string, body?: unknown): Promise<Reply>;
  /**
   * Runs the agent and hands over each SSE event, its name (`message` when it has none) and data. Resolves when
   * the stream is over; rejects with words for the user when the run was refused or the stream broke. After
   * `signal` no more events come.
   */
  run(body: unknown, onEvent: (event: string, data: string) => void, signal: AbortSignal): Promise<void>;
  /** Opens an address of the gateway's own beside the page. */
  open(url: string): void;
  /** Puts text on the clipboard; rejects with words for the user. */
  copy(text: string): Promise<void>;
  /** Asks the editor to do something. Does nothing in the console. */
  command(command: HostCommand): void;
  /** Signs in. Does nothing in the editor, which has a token of its own. */
  signIn(way: SignInWay): void;
  /** Leaves the one-time link that waits unused. */
  dismissLink(): void;
  /** Asks for no approval any more. */
  dismissApproval(): void;
  signOut(): void;
  /** What the page kept when it was last open; undefined at first. */
  load(): unknown;
  save(state: unknown): void;
}
