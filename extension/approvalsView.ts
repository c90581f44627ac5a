import * as vscode from 'vscode';
import { approvalState, approvalTitle } from '../gateway/contract/approval-text.ts';
import {
  approvalGrantListSchema,
  approvalListSchema,
  type ApprovalGrant,
  type ApprovalView,
} from '../gateway/contract/approvals.ts';
import type { GatewayClient } from './gatewayClient.ts';
import type { GatewayController } from './gatewayController.ts';
import { grantItem, grantsItem, type GrantsNode } from './grantItems.ts';
import { messageOf } from './words.ts';

const { t } = vscode.l10n;

const RECONNECT_DELAY_MS = 1_000;
const CLOCK_MS = 30_000;
const EVENTS_IDLE_TIMEOUT_MS = 300_000;
/** For how long what is decided is still listed. */
const SHOWN_MS = 60 * 60_000;

type ApprovalNode = ApprovalView | GrantsNode | ApprovalGrant;

/**
 * The calls that wait for approval, kept up to date, with their number as a badge; then what stands; then decided calls,
 * for an hour.
 */
export class ApprovalsView implements vscode.TreeDataProvider<ApprovalNode>, vscode.Disposable {
  readonly #controller: Pick<GatewayController, 'client' | 'onDidChangeStatus'>;
  readonly #log: vscode.LogOutputChannel;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #arrived = new vscode.EventEmitter<readonly ApprovalView[]>();
  readonly #view: vscode.TreeView<ApprovalNode>;
  readonly #subscription: vscode.Disposable;
  #following: AbortController | undefined;
  #approvals: readonly ApprovalView[] = [];
  #grants: readonly ApprovalGrant[] = [];
  #known = new Set<string>();

  readonly onDidChangeTreeData = this.#changed.event;
  /** Approvals that are new and that the user may decide. */
  readonly onDidArrive = this.#arrived.event;

  constructor(
    controller: Pick<GatewayController, 'client' | 'onDidChangeStatus'>,
    log: vscode.LogOutputChannel,
  ) {
    this.#controller = controller;
    this.#log = log;
    this.#view = vscode.window.createTreeView('toolgate.approvals', { treeDataProvider: this });
    // What is left of the time of each is said in the list.
    const clock = setInterval(() => {
      if (this.#approvals.length + this.#grants.length > 0) this.#changed.fire();
    }, CLOCK_MS);
    this.#subscription = vscode.Disposable.from(
      this.#view,
      { dispose: () => clearInterval(clock) },
      controller.onDidChangeStatus(() => this.#follow(controller.client)),
    );
    this.#follow(controller.client);
  }

  get approvals(): readonly ApprovalView[] {
    return this.#approvals;
  }

  /** What the user may take back. */
  get grants(): readonly ApprovalGrant[] {
    return this.#grants;
  }

  /** Reads the approvals again. Never rejects: what went wrong stands above the list. */
  async refresh(): Promise<void> {
    const client = this.#controller.client;
    try {
      const now = Date.now();
      const [{ approvals }, { grants }] =
        client === undefined ? [{ approvals: [] }, { grants: [] }] : await readAll(client);
      this.#grants = grants;
      this.#approvals = approvals.filter(
        ({ status, decision, createdAt }) =>
          status === 'pending' || now - (decision?.at ?? createdAt) < SHOWN_MS,
      );
      this.#view.message = client === undefined ? t('Approvals are listed while the gateway runs.') : '';
    } catch (error) {
      this.#view.message = t('The approvals could not be listed: {0}', messageOf(error));
    }
    const waiting = this.#approvals.filter(({ mayDecide }) => mayDecide);
    const value = waiting.length;
    this.#view.badge = value === 0 ? undefined : { value, tooltip: t('{0} calls wait for your word', value) };
    this.#changed.fire();
    const fresh = waiting.filter(({ id }) => !this.#known.has(id));
    this.#known = new Set(waiting.map(({ id }) => id));
    if (fresh.length > 0) this.#arrived.fire(fresh);
  }

  getChildren(node?: ApprovalNode): ApprovalNode[] {
    if (node !== undefined) return 'grants' in node ? [...node.grants] : [];
    const isOver = ({ status }: ApprovalView): boolean => status !== 'pending';
    return [
      ...this.#approvals.filter((one) => !isOver(one)),
      ...(this.#grants.length === 0 ? [] : [{ grants: this.#grants }]),
      ...this.#approvals.filter(isOver),
    ];
  }

  getTreeItem(node: ApprovalNode): vscode.TreeItem {
    if ('grants' in node) return grantsItem(node);
    return 'uses' in node ? grantItem(node) : approvalItem(node);
  }

  dispose(): void {
    this.#following?.abort();
    this.#subscription.dispose();
    this.#changed.dispose();
    this.#arrived.dispose();
  }

  #follow(client: GatewayClient | undefined): void {
    this.#following?.abort();
    this.#following = undefined;
    void this.refresh();
    if (client === undefined) return;
    this.#following = new AbortController();
    void this.#run(client, this.#following.signal);
  }

  async #run(client: GatewayClient, signal: AbortSignal): Promise<void> {
    const wanted = (): boolean => !signal.aborted;
    while (wanted()) {
      try {
        const path = '/api/v1/approvals/events';
        const events = client.stream({ method: 'GET', path, signal, idleTimeoutMs: EVENTS_IDLE_TIMEOUT_MS });
        for await (const { event } of events) if (event === 'approvals') await this.refresh();
      } catch (error) {
        if (wanted()) this.#log.debug(`approvals: ${messageOf(error)}`);
      }
      if (wanted()) await new Promise((resolve) => setTimeout(resolve, RECONNECT_DELAY_MS));
    }
  }
}

async function readAll(
  client: GatewayClient,
): Promise<[{ approvals: ApprovalView[] }, { grants: ApprovalGrant[] }]> {
  const [approvals, grants] = await Promise.all([
    client.json('GET', '/api/v1/approvals?status=all'),
    client.json('GET', '/api/v1/approval-grants'),
  ]);
  return [approvalListSchema.parse(approvals), approvalGrantListSchema.parse(grants)];
}

function approvalItem(approval: ApprovalView): vscode.TreeItem {
  const item = new vscode.TreeItem(`${approval.tool} · ${approval.server.split(':').at(-1)}`);
  item.id = approval.id;
  item.description = `${approvalState(approval, Date.now())} · ${approval.subject}`;
  item.tooltip = `${approvalTitle(approval)}\n${approval.reason}\n${JSON.stringify(approval.arguments, null, 2).slice(0, 2_000)}`;
  item.contextValue = approval.mayDecide ? 'approval.open' : 'approval';
  item.iconPath = new vscode.ThemeIcon(
    approval.status === 'pending'
      ? approval.destructive
        ? 'warning'
        : 'question'
      : approval.status === 'approved' || approval.status === 'spent'
        ? 'pass'
        : 'circle-slash',
  );
  item.accessibilityInformation = { label: `${approvalTitle(approval)}, ${item.description}` };
  item.command = { command: 'toolgate.showApproval', title: t('Show'), arguments: [approval] };
  return item;
}
