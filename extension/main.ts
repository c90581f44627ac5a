import * as vscode from 'vscode';
import type { PlaygroundMessage } from '../gateway/contract/playground.ts';
import { noticeApprovals } from './approvalCommands.ts';
import { provideApprovalDocuments } from './approvalDocuments.ts';
import { ApprovalsView } from './approvalsView.ts';
import { noticeBudgets } from './budgetNotice.ts';
import { registerCommands, running } from './commands.ts';
import { helpWithConfiguration } from './configHelp.ts';
import { handleReturn, noticeSignIns } from './credentialCommands.ts';
import { noticeFailures } from './failureNotice.ts';
import { GatewayController } from './gatewayController.ts';
import { provideMcpServer } from './mcpProvider.ts';
import { providePinDocuments } from './pinDocuments.ts';
import { noticeQuarantine } from './pinReview.ts';
import { PlaygroundHost } from './playgroundHost.ts';
import { PlaygroundPanel } from './playgroundPanel.ts';
import { RegistryFeed } from './registryFeed.ts';
import type { RegistryTree } from './registryTree.ts';
import { showRegistryView } from './registryView.ts';
import { SecretVault } from './secretVault.ts';
import { readSettings } from './settings.ts';
import { showStatusBarItem } from './statusBar.ts';
import { TokensView } from './tokensView.ts';

/** What the extension gives to its own tests in the extension host, and to nobody else. */
export interface ExtensionInternals {
  readonly controller: GatewayController;
  readonly feed: RegistryFeed;
  readonly tree: RegistryTree;
  readonly tokens: TokensView;
  readonly approvals: ApprovalsView;
  readonly vault: SecretVault;
  connectPlayground(post: (message: PlaygroundMessage) => void): PlaygroundHost;
}

/** Sets the extension up; everything ends with the context's subscriptions. */
export function activate(context: vscode.ExtensionContext): ExtensionInternals | undefined {
  const log = vscode.window.createOutputChannel('Toolgate', { log: true });
  const vault = new SecretVault(context.secrets, context.globalState, log);
  const controller = new GatewayController(context, vault, log);
  const feed = new RegistryFeed(controller, log);
  const connectPlayground = (post: (message: PlaygroundMessage) => void): PlaygroundHost =>
    new PlaygroundHost(controller, feed, log, post);
  const panel = new PlaygroundPanel(context.extensionUri, connectPlayground);
  const view = showRegistryView(controller, feed);
  const tokens = new TokensView(controller);
  const approvals = new ApprovalsView(controller, log);
  context.subscriptions.push(
    log,
    vault,
    controller,
    feed,
    panel,
    view.disposable,
    tokens,
    approvals,
    showStatusBarItem(controller, feed),
    provideMcpServer(controller, feed, vault),
    noticeFailures(controller),
    providePinDocuments(controller),
    noticeQuarantine({ feed }),
    noticeSignIns(feed),
    noticeBudgets(feed),
    provideApprovalDocuments(controller, approvals),
    noticeApprovals({ client: () => running(controller), view: approvals }),
    helpWithConfiguration(),
    handleReturn(feed),
    registerCommands({ controller, feed, vault, tokens, approvals, panel, log, reveal: view.reveal }),
  );
  if (readSettings().autoStart) controller.start();
  if (context.extensionMode !== vscode.ExtensionMode.Test) return undefined;
  return { controller, feed, tree: view.tree, tokens, approvals, vault, connectPlayground };
}
