import * as vscode from 'vscode';
import type { PlaygroundMessage, PlaygroundRequest } from '../gateway/contract/playground.ts';
import { PLAYGROUND_PATHS, playgroundRequestSchema } from '../gateway/contract/playground.ts';
import { COMMANDS } from './commandIds.ts';
import type { GatewayController } from './gatewayController.ts';
import type { RegistryFeed } from './registryFeed.ts';
import { messageOf, toGatewayState } from './words.ts';

const { t } = vscode.l10n;
const RUN_PATH = '/api/llm/agent/responses';
/** A model or a tool may think for long; a run that says nothing for so long is given up. */
const RUN_IDLE_TIMEOUT_MS = 600_000;

type RequestOf<Type extends PlaygroundRequest['type']> = Extract<PlaygroundRequest, { type: Type }>;

/**
 * The playground's side in the extension host: answers one page. It alone speaks to the gateway, so that the page
 * never sees the token, and only for the paths of the contract.
 */
export class PlaygroundHost implements vscode.Disposable {
  readonly #controller: GatewayController;
  readonly #post: (message: PlaygroundMessage) => void;
  readonly #log: vscode.LogOutputChannel;
  readonly #runs = new Map<number, AbortController>();
  readonly #subscriptions: vscode.Disposable[];

  constructor(
    controller: GatewayController,
    feed: RegistryFeed,
    log: vscode.LogOutputChannel,
    post: (message: PlaygroundMessage) => void,
  ) {
    this.#controller = controller;
    this.#post = post;
    this.#log = log;
    this.#subscriptions = [
      controller.onDidChangeStatus(() => {
        this.#sendState();
      }),
      feed.onDidChange(() => {
        if (feed.registry !== undefined) this.#post({ type: 'registryChanged' });
      }),
    ];
  }

  /** Takes a message of the page; one that is not of the contract is logged and dropped. */
  async receive(raw: unknown): Promise<void> {
    const parsed = playgroundRequestSchema.safeParse(raw);
    if (!parsed.success) {
      this.#log.warn(t('The playground sent an unknown message: {0}', parsed.error.message));
      return;
    }
    const message = parsed.data;
    switch (message.type) {
      case 'ready':
        this.#sendState();
        return;
      case 'request':
        await this.#request(message);
        return;
      case 'run':
        await this.#run(message);
        return;
      case 'copy':
        await vscode.env.clipboard.writeText(message.text);
        return;
      case 'open':
        await this.#open(message.url);
        return;
      case 'command':
        await vscode.commands.executeCommand(PAGE_COMMANDS[message.command]);
    }
  }

  /** The gateway's own pages and no others: what a page shows may come from a server. */
  async #open(url: string): Promise<void> {
    const { address } = toGatewayState(this.#controller.status);
    if (address === undefined || !url.startsWith(`${address}/`)) return;
    await vscode.env.openExternal(vscode.Uri.parse(url, true));
  }

  /** Ends every run the page has started. */
  dispose(): void {
    for (const run of this.#runs.values()) run.abort();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  #sendState(): void {
    this.#post({ type: 'state', state: toGatewayState(this.#controller.status) });
  }

  async #request({ id, method, path, body }: RequestOf<'request'>): Promise<void> {
    if (!PLAYGROUND_PATHS.some((allowed) => allowed.test(path))) {
      this.#post({ type: 'reply', id, status: 0, body: t('The playground may not ask for {0}.', path) });
      return;
    }
    const { client } = this.#controller;
    if (client === undefined) {
      this.#post({ type: 'reply', id, status: 0, body: notRunning() });
      return;
    }
    try {
      const response = await client.request(method, path, body);
      this.#post({ type: 'reply', id, ...response });
    } catch (error) {
      this.#post({ type: 'reply', id, status: 0, body: messageOf(error) });
    }
  }

  async #run({ id, body }: RequestOf<'run'>): Promise<void> {
    const { client } = this.#controller;
    if (client === undefined) {
      this.#post({ type: 'end', id, error: notRunning() });
      return;
    }
    const run = new AbortController();
    this.#runs.set(id, run);
    try {
      const { signal } = run;
      const idleTimeoutMs = RUN_IDLE_TIMEOUT_MS;
      const events = client.stream({ method: 'POST', path: RUN_PATH, body, signal, idleTimeoutMs });
      for await (const { event, data } of events) this.#post({ type: 'stream', id, event, data });
      this.#post({ type: 'end', id });
    } catch (error) {
      if (!run.signal.aborted) this.#post({ type: 'end', id, error: messageOf(error) });
    } finally {
      this.#runs.delete(id);
    }
  }
}

const PAGE_COMMANDS: Readonly<Record<RequestOf<'command'>['command'], string>> = {
  start: COMMANDS.start,
  showLog: COMMANDS.showLog,
  openConfig: COMMANDS.openConfiguration,
};

function notRunning(): string {
  return t('The gateway is not running. Start it and try again.');
}
