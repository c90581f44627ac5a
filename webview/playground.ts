import type { AgentRequestBody } from '../gateway/contract/agent.ts';
import {
  approvalGrantListSchema,
  approvalListSchema,
  approvalViewSchema,
  type ApprovalGrant,
  type ApprovalView,
} from '../gateway/contract/approvals.ts';
import {
  authorizeSchema,
  credentialListSchema,
  type CredentialView,
} from '../gateway/contract/credentials.ts';
import { limitListSchema, type CounterView } from '../gateway/contract/limits.ts';
import { modelListSchema, registryViewSchema } from '../gateway/contract/registry.ts';
import type { ModelList, RegistryView } from '../gateway/contract/registry.ts';
import { EMPTY_CONVERSATION, reduce, runningTurn } from './conversation.ts';
import type { Action, Conversation } from './conversation.ts';
import type { Host, HostState, Reply } from './host.ts';
import { mcpServers } from './selection.ts';
import { readStreamEvent } from './stream.ts';
import { transcript } from './transcript.ts';
import { readUiState } from './ui-state.ts';
import type { UiState } from './ui-state.ts';
import { refusalWords, thrownWords } from './words.ts';

/** How long a run may go on after the user stopped it, before the page stops listening to it. */
const STOP_GRACE_MS = 5_000;

/** All the page shows, at one moment. */
export interface View {
  readonly host: HostState;
  readonly registry?: RegistryView;
  readonly registryError?: string;
  /** What servers ask the user for; none where it could not be read. */
  readonly credentials?: readonly CredentialView[];
  readonly models?: ModelList;
  readonly modelsError?: string;
  readonly ui: UiState;
  readonly conversation: Conversation;
}

/** An approval as it stands, and what went wrong, in words. */
export interface ApprovalAnswer {
  readonly approval?: ApprovalView;
  readonly problem?: string;
}

interface ActiveRun {
  readonly turn: number;
  readonly abort: AbortController;
  runId?: string;
  stop: 'no' | 'wanted' | 'sent';
}

/** The page's state and what a user can do to it. Every change makes a new `view` and calls the listener. */
export class Playground {
  readonly host: Host;
  view: View;
  #onChange: () => void = () => undefined;
  #lastTurn = 0;
  #active: ActiveRun | undefined;
  #registryReading = false;
  #registryStale = false;

  constructor(host: Host) {
    this.host = host;
    this.view = {
      host: { status: 'starting' },
      ui: readUiState(host.load()),
      conversation: EMPTY_CONVERSATION,
    };
  }

  /** Begins to follow the host. */
  start(onChange: () => void): void {
    this.#onChange = onChange;
    this.host.onState((state) => {
      const started = state.status === 'running' && this.view.host.status !== 'running';
      this.#set({ host: state });
      if (started) void this.readModels();
    });
    this.host.onRegistryChanged(() => void this.#readRegistry());
    this.host.start();
  }

  /** Changes what the user chose or typed, and keeps it for the next time the page is opened. */
  change(ui: Partial<UiState>): void {
    this.#set({ ui: { ...this.view.ui, ...ui } });
    this.host.save(this.view.ui);
  }

  /** Sends the message and follows the run to its end. */
  async run(prompt: string): Promise<void> {
    if (runningTurn(this.view.conversation)) return;
    const body = requestBody(this.view, prompt, this.view.conversation);
    const turn = (this.#lastTurn += 1);
    const active: ActiveRun = { turn, abort: new AbortController(), stop: 'no' };
    this.#active = active;
    this.#dispatch({ type: 'sent', turn, prompt, model: body.model, at: Date.now() });
    this.change({ draft: '' });
    const onEvent = (event: string, data: string): void => {
      const item = readStreamEvent(event, data);
      if (item.type === 'chunk') active.runId = item.chunk.id;
      this.#dispatch({ type: 'received', turn, item, at: Date.now() });
      void this.#cancelIfWanted(active);
    };
    try {
      await this.host.run(body, onEvent, active.abort.signal);
      this.#dispatch({ type: 'closed', turn, at: Date.now() });
    } catch (error) {
      this.#dispatch({ type: 'closed', turn, error: thrownWords(error), at: Date.now() });
    }
    if (this.#active === active) this.#active = undefined;
  }

  /** Stops the run: by its id when that is known, else as soon as it is. */
  stop(): void {
    const active = this.#active;
    if (active?.stop !== 'no') return;
    active.stop = 'wanted';
    this.#dispatch({ type: 'stopping', turn: active.turn });
    setTimeout(() => {
      active.abort.abort();
    }, STOP_GRACE_MS);
    void this.#cancelIfWanted(active);
  }

  async #cancelIfWanted(active: ActiveRun): Promise<void> {
    if (active.stop !== 'wanted' || active.runId === undefined) return;
    active.stop = 'sent';
    const reply = await this.host.request('POST', `/api/llm/agent/runs/${active.runId}/cancel`);
    if (reply.status < 200 || reply.status > 299) active.abort.abort();
  }

  /** Takes the last turn back and sends its message again. */
  async retry(): Promise<void> {
    const last = this.view.conversation.turns.at(-1);
    if (!last || last.run.status === 'running') return;
    this.#set({ conversation: { turns: this.view.conversation.turns.slice(0, -1) } });
    await this.run(last.prompt);
  }

  newConversation(): void {
    this.stop();
    this.#set({ conversation: EMPTY_CONVERSATION });
  }

  /** Reads the models again; a name that is typed stays as it is. */
  async readModels(): Promise<void> {
    const read = await this.#get('/api/llm/models', (body) => modelListSchema.parse(body));
    if ('error' in read) {
      this.#set({ modelsError: read.error });
      return;
    }
    const { modelsError: _, ...view } = this.view;
    this.view = { ...view, models: read.value };
    const first = read.value.data[0]?.id;
    if (this.view.ui.model === '' && first !== undefined) this.change({ model: first });
    else this.#onChange();
  }

  /** Reads the registry; changes that come meanwhile lead to one more reading, however many they are. */
  async #readRegistry(): Promise<void> {
    this.#registryStale = true;
    if (this.#registryReading) return;
    this.#registryReading = true;
    while (this.#registryStale) {
      this.#registryStale = false;
      const read = await this.#get('/api/v1/registry', (body) => registryViewSchema.parse(body));
      if ('error' in read) {
        this.#set({ registryError: read.error });
        continue;
      }
      const { registryError: _, ...view } = this.view;
      this.view = { ...view, registry: read.value };
      this.#onChange();
      await this.#readCredentials();
    }
    this.#registryReading = false;
  }

  async #readCredentials(): Promise<void> {
    const read = await this.#get('/api/v1/credentials', (body) => credentialListSchema.parse(body));
    if ('value' in read) this.#set({ credentials: read.value.credentials });
  }

  /** Opens the page where the user signs in to a server. Resolves with what went wrong, in words. */
  async signInTo(credential: CredentialView): Promise<string | undefined> {
    const reply = await this.host.request('POST', `${pathOf(credential)}/authorize`, {});
    if (reply.status !== 200) return refusalWords(reply.status, reply.body);
    this.host.open(authorizeSchema.parse(reply.body).url);
    return undefined;
  }

  /** Renews a sign-in, takes it back, or keeps values for a server. Resolves with what went wrong, in words. */
  async changeCredential(
    credential: CredentialView,
    change: 'renew' | 'remove' | Readonly<Record<string, string>>,
  ): Promise<string | undefined> {
    const path = pathOf(credential);
    const reply =
      change === 'renew'
        ? await this.host.request('POST', `${path}/renew`, {})
        : change === 'remove'
          ? await this.host.request('DELETE', path)
          : await this.host.request('PUT', path, { values: change });
    await this.#readCredentials();
    return reply.status === 200 ? undefined : refusalWords(reply.status, reply.body);
  }

  /** The calls that wait for the user's word, and the user's own; none when they cannot be read. */
  async approvals(): Promise<readonly ApprovalView[]> {
    const read = await this.#get('/api/v1/approvals?status=pending', (body) =>
      approvalListSchema.parse(body),
    );
    return 'value' in read ? read.value.approvals : [];
  }

  /** The standing approvals that the user may take back; undefined when they cannot be read. */
  async grants(): Promise<readonly ApprovalGrant[] | undefined> {
    const read = await this.#get('/api/v1/approval-grants', (body) => approvalGrantListSchema.parse(body));
    return 'value' in read ? read.value.grants : undefined;
  }

  /** Takes a standing approval back; `gone` where it was not there any more. Else what went wrong, in words. */
  async revoke(id: string): Promise<{ readonly gone: boolean } | { readonly problem: string }> {
    const reply = await this.host.request('DELETE', `/api/v1/approval-grants/${id}`);
    if (reply.status === 204 || reply.status === 404) return { gone: reply.status === 404 };
    return { problem: refusalWords(reply.status, reply.body) };
  }

  /** What is used of the limits that the user may see; undefined when it cannot be read. */
  async limits(): Promise<readonly CounterView[] | undefined> {
    const read = await this.#get('/api/v1/limits', (body) => limitListSchema.parse(body));
    return 'value' in read ? read.value.counters : undefined;
  }

  /** One approval, or why it cannot be shown, in words. */
  async approval(id: string): Promise<ApprovalAnswer> {
    const read = await this.#get(`/api/v1/approvals/${id}`, (body) => approvalViewSchema.parse(body));
    return 'value' in read ? { approval: read.value } : { problem: read.error };
  }

  /** Decides an approval: how it stands then, and what went wrong, in words. */
  async decide(id: string, verdict: 'approve' | 'deny', body: object): Promise<ApprovalAnswer> {
    const reply = await this.host.request('POST', `/api/v1/approvals/${id}/${verdict}`, body);
    const answer = await this.approval(id);
    return reply.status === 200 ? answer : { ...answer, problem: refusalWords(reply.status, reply.body) };
  }

  async #get<T>(path: string, parse: (body: unknown) => T): Promise<{ value: T } | { error: string }> {
    const reply: Reply = await this.host.request('GET', path);
    if (reply.status !== 200) return { error: refusalWords(reply.status, reply.body) };
    try {
      return { value: parse(reply.body) };
    } catch {
      return {
        error: `The gateway’s answer to ${path} is not what this page expects. Are both of one version?`,
      };
    }
  }

  #dispatch(action: Action): void {
    this.#set({ conversation: reduce(this.view.conversation, action) });
  }

  #set(change: Partial<View>): void {
    this.view = { ...this.view, ...change };
    this.#onChange();
  }
}

function pathOf({ group, name }: CredentialView): string {
  return `/api/v1/credentials/${encodeURIComponent(group)}/${encodeURIComponent(name)}`;
}

/** The request that `prompt` makes after `history`. */
export function requestBody(
  view: View,
  prompt: string,
  history: Conversation = EMPTY_CONVERSATION,
): AgentRequestBody {
  const { model, iterationLimit, systemPrompt, selection } = view.ui;
  const servers = view.registry ? mcpServers(selection, view.registry) : [];
  return {
    model,
    stream: true,
    iteration_limit: iterationLimit,
    messages: [
      ...(systemPrompt.trim() === '' ? [] : [{ role: 'system' as const, content: systemPrompt.trim() }]),
      ...transcript(history),
      { role: 'user' as const, content: prompt },
    ],
    ...(servers.length > 0 && { mcp_servers: servers }),
  };
}
