import * as vscode from 'vscode';
import { credentialListSchema, type CredentialView } from '../gateway/contract/credentials.ts';
import { budgetAlertSchema, type BudgetAlert } from '../gateway/contract/limits.ts';
import type { RegistryView } from '../gateway/contract/registry.ts';
import { registryViewSchema } from '../gateway/contract/registry.ts';
import type { GatewayClient } from './gatewayClient.ts';
import type { GatewayController } from './gatewayController.ts';
import { messageOf } from './words.ts';

const RECONNECT_DELAY_MS = 1_000;
/** A new connection brings a new event, so one that is silent for so long costs nothing to replace. */
const EVENTS_IDLE_TIMEOUT_MS = 300_000;

/** The registry of the running gateway, kept up to date by its events. */
export class RegistryFeed implements vscode.Disposable {
  readonly #controller: GatewayController;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #alerted = new vscode.EventEmitter<BudgetAlert>();
  readonly #subscription: vscode.Disposable;
  #following: AbortController | undefined;
  #registry: RegistryView | undefined;
  #credentials: readonly CredentialView[] = [];
  #error: string | undefined;

  readonly onDidChange = this.#changed.event;
  /** So much of a budget is spent. */
  readonly onDidAlert = this.#alerted.event;

  constructor(controller: GatewayController, log: vscode.LogOutputChannel) {
    this.#controller = controller;
    this.#log = log;
    this.#subscription = controller.onDidChangeStatus(() => {
      this.#follow(controller.client);
    });
    this.#follow(controller.client);
  }

  /** Undefined while the gateway does not run, and until it has answered. */
  get registry(): RegistryView | undefined {
    return this.#registry;
  }

  /** What servers ask the user for. */
  get credentials(): readonly CredentialView[] {
    return this.#credentials;
  }

  /** Why the registry could not be read the last time. */
  get error(): string | undefined {
    return this.#error;
  }

  /** Reads again what there is. */
  async reread(): Promise<void> {
    if (this.#controller.client !== undefined) await this.#read(this.#controller.client);
  }

  /** Has the gateway list its servers anew. */
  async refresh(): Promise<void> {
    const client = this.#controller.client;
    if (client === undefined) return;
    await client.json('POST', '/api/v1/registry/refresh');
    await this.#read(client);
  }

  dispose(): void {
    this.#following?.abort();
    this.#subscription.dispose();
    this.#changed.dispose();
    this.#alerted.dispose();
  }

  #follow(client: GatewayClient | undefined): void {
    this.#following?.abort();
    this.#following = undefined;
    this.#registry = undefined;
    this.#credentials = [];
    this.#error = undefined;
    this.#changed.fire();
    if (client === undefined) return;
    this.#following = new AbortController();
    void this.#run(client, this.#following.signal);
  }

  async #run(client: GatewayClient, signal: AbortSignal): Promise<void> {
    const wanted = (): boolean => !signal.aborted;
    while (wanted()) {
      try {
        const idleTimeoutMs = EVENTS_IDLE_TIMEOUT_MS;
        const events = client.stream({ method: 'GET', path: '/api/v1/events', signal, idleTimeoutMs });
        for await (const { event, data } of events) {
          if (event === 'registry') await this.#read(client);
          else if (event === 'budget') this.#alerted.fire(budgetAlertSchema.parse(JSON.parse(data)));
        }
      } catch (error) {
        if (wanted()) this.#log.debug(`events: ${messageOf(error)}`);
      }
      if (wanted()) await new Promise((resolve) => setTimeout(resolve, RECONNECT_DELAY_MS));
    }
  }

  async #read(client: GatewayClient): Promise<void> {
    let registry: RegistryView | undefined;
    let credentials: readonly CredentialView[] | undefined;
    let failure: string | undefined;
    try {
      const [told, asked] = await Promise.all([
        client.json('GET', '/api/v1/registry'),
        client.json('GET', '/api/v1/credentials'),
      ]);
      registry = registryViewSchema.parse(told);
      ({ credentials } = credentialListSchema.parse(asked));
    } catch (error) {
      failure = messageOf(error);
      this.#log.error(vscode.l10n.t('The registry could not be read: {0}', failure));
    }
    // The gateway may have ended while it answered.
    if (client !== this.#controller.client) return;
    this.#registry = registry ?? this.#registry;
    this.#credentials = credentials ?? this.#credentials;
    this.#error = failure;
    this.#changed.fire();
  }
}
