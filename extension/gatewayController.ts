import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import { configViewSchema } from '../gateway/contract/config.ts';
import type { ParentMessage } from '../gateway/contract/ipc.ts';
import { ConfigFiles } from './configFiles.ts';
import { GatewayClient } from './gatewayClient.ts';
import { launchGateway } from './gatewayProcess.ts';
import type { ChildEvents, GatewayChild, GatewayStatus } from './gatewaySupervisor.ts';
import { GatewaySupervisor } from './gatewaySupervisor.ts';
import type { SecretVault } from './secretVault.ts';
import { onDidChangeSettings, readSettings } from './settings.ts';
import { describeStatus } from './words.ts';

/** Editors save in bursts; a restart for each would be one too many. */
const RESTART_DEBOUNCE_MS = 400;
/** Where nothing tells the gateway of a changed file, it looks every few seconds. */
const FOLLOW_TIMEOUT_MS = 8_000;
const FOLLOW_PAUSE_MS = 100;

type StartMessage = Extract<ParentMessage, { type: 'start' }>;

/**
 * This window's gateway: runs it with the chosen configuration and settings, and again when one of them changes; of
 * changed secrets it is told.
 */
export class GatewayController implements vscode.Disposable {
  readonly configFiles: ConfigFiles;
  readonly #program: string;
  readonly dataDir: string;
  readonly #vault: SecretVault;
  readonly #log: vscode.LogOutputChannel;
  readonly #supervisor: GatewaySupervisor;
  readonly #changed = new vscode.EventEmitter<GatewayStatus>();
  readonly #subscriptions: readonly { dispose(): unknown }[];
  #client: GatewayClient | undefined;
  #token = '';
  /** What the present or last process was started with. */
  #launchedWith: string | undefined;
  /** The text of the configuration that it runs with, by its hash. */
  #revision: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  readonly onDidChangeStatus = this.#changed.event;

  constructor(context: vscode.ExtensionContext, vault: SecretVault, log: vscode.LogOutputChannel) {
    this.#program = context.asAbsolutePath('dist/gateway.js');
    this.dataDir = path.join(context.globalStorageUri.fsPath, 'data');
    this.#vault = vault;
    this.#log = log;
    this.configFiles = new ConfigFiles(
      context.globalStorageUri.fsPath,
      context.asAbsolutePath('dist/examples/starter/toolgate.yaml'),
    );
    this.#supervisor = new GatewaySupervisor(
      (events) => this.#launch(events),
      (status) => {
        this.#receive(status);
      },
    );
    const reconsider = (): void => {
      this.#reconsiderSoon();
    };
    this.#subscriptions = [
      this.configFiles,
      this.configFiles.onDidChange(reconsider),
      vault.onDidChange(() => {
        void this.#handOver();
      }),
      onDidChangeSettings(reconsider),
    ];
  }

  get status(): GatewayStatus {
    return this.#supervisor.status;
  }

  /** The way to the gateway while it runs. */
  get client(): GatewayClient | undefined {
    return this.#client;
  }

  start(): void {
    this.#supervisor.start();
  }

  restart(): void {
    this.#supervisor.restart();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#supervisor.stop();
  }

  /** The process ends by itself; nobody waits for a window that is closing. */
  dispose(): void {
    void this.stop();
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#changed.dispose();
  }

  async #launch(events: ChildEvents): Promise<GatewayChild> {
    await mkdir(this.dataDir, { recursive: true });
    await this.configFiles.ensure();
    const start = await this.#startMessage();
    this.#launchedWith = fingerprint(start);
    this.#revision = await revisionOf(start.configFile);
    this.#token = start.ownerToken;
    this.#log.info(vscode.l10n.t('Starting the gateway with {0}', start.configFile));
    return launchGateway(
      {
        program: this.#program,
        start,
        onLog: ({ level, text }) => {
          this.#log[level](text);
        },
        onKeep: (name, value) => this.#vault.keep(name, value),
      },
      events,
    );
  }

  async #startMessage(): Promise<StartMessage> {
    const { port, logLevel } = readSettings();
    return {
      type: 'start',
      configFile: this.configFiles.choose().file,
      dataDir: this.dataDir,
      port,
      ownerToken: await this.#vault.ownerToken(),
      secrets: await this.#vault.values(),
      logLevel,
    };
  }

  /** The gateway follows changed secrets; a changed owner token makes another gateway of it. */
  async #handOver(): Promise<void> {
    this.#supervisor.tell(await this.#vault.values());
    if ((await this.#vault.ownerToken()) !== this.#token) this.#reconsiderSoon();
  }

  #receive(status: GatewayStatus): void {
    this.#client = status.status === 'running' ? new GatewayClient(status.address, this.#token) : undefined;
    const words = describeStatus(status);
    if (status.status === 'failed') this.#log.error(words);
    else this.#log.info(words);
    this.#changed.fire(status);
  }

  #reconsiderSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#reconsider().catch((error: unknown) => {
        this.#log.error(String(error));
      });
    }, RESTART_DEBOUNCE_MS);
  }

  /**
   * Restarts a gateway that was started with something else than now holds, or that cannot follow what the
   * configuration says now. One that was stopped stays so.
   */
  async #reconsider(): Promise<void> {
    if (this.status.status === 'stopped') return;
    const start = await this.#startMessage();
    const revision = await revisionOf(start.configFile);
    if (fingerprint(start) === this.#launchedWith) {
      if (revision === this.#revision) return;
      if (await this.#follows(revision)) {
        this.#revision = revision;
        return;
      }
    }
    this.restart();
  }

  /** Whether the gateway takes the configuration's new text up by itself, which it does soon or not at all. */
  async #follows(revision: string): Promise<boolean> {
    const client = this.#client;
    for (const deadline = Date.now() + FOLLOW_TIMEOUT_MS; client !== undefined && Date.now() < deadline;) {
      try {
        const view = configViewSchema.parse(await client.json('GET', '/api/v1/config'));
        if (view.revision === revision) return view.restartNeeded.length === 0;
        if (view.problems.length > 0) return false;
      } catch {
        return false;
      }
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_PAUSE_MS));
    }
    return false;
  }
}

/** Changes with every value the gateway is started with, but the secrets, which it is told of. */
function fingerprint({ secrets: _told, ...start }: StartMessage): string {
  return createHash('sha256').update(JSON.stringify(start)).digest('hex');
}

/** What the gateway calls the configuration's text. */
async function revisionOf(file: string): Promise<string> {
  const text = existsSync(file) ? await readFile(file, 'utf8') : '';
  return createHash('sha256').update(text).digest('hex');
}
