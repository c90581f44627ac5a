import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
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

type StartMessage = Extract<ParentMessage, { type: 'start' }>;

/**
 * This window's gateway: runs it with the chosen configuration, settings and secrets, and again when one of them
 * changes.
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
      vault.onDidChange(reconsider),
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
    this.#launchedWith = await fingerprint(start);
    this.#token = start.ownerToken;
    this.#log.info(vscode.l10n.t('Starting the gateway with {0}', start.configFile));
    return launchGateway(
      {
        program: this.#program,
        start,
        onLog: ({ level, text }) => {
          this.#log[level](text);
        },
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

  /** Restarts a gateway that was started with something else than now holds. One that was stopped stays so. */
  async #reconsider(): Promise<void> {
    if (this.status.status === 'stopped') return;
    const now = await fingerprint(await this.#startMessage());
    if (now !== this.#launchedWith) this.restart();
  }
}

/** Changes with every value the gateway is started with, and with the configuration's content. */
async function fingerprint(start: StartMessage): Promise<string> {
  const content = existsSync(start.configFile) ? await readFile(start.configFile) : '';
  return createHash('sha256').update(JSON.stringify(start)).update(content).digest('hex');
}
