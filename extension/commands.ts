import * as vscode from 'vscode';
import type { SearchHit } from '../gateway/contract/search.ts';
import { accessCommands } from './accessCommands.ts';
import { explainAccess } from './accessWhy.ts';
import { COMMANDS } from './commandIds.ts';
import { credentialCommands } from './credentialCommands.ts';
import { exportConfiguration } from './exportCommand.ts';
import type { GatewayClient } from './gatewayClient.ts';
import type { GatewayController } from './gatewayController.ts';
import { grantCommands } from './grantCommands.ts';
import { acceptAllChanges, decideOnChange, reviewChange } from './pinReview.ts';
import type { PlaygroundPanel } from './playgroundPanel.ts';
import { RegistryChanges } from './registryChanges.ts';
import { registryCommands } from './registryCommands.ts';
import type { RegistryFeed } from './registryFeed.ts';
import { deleteSecret, setSecret } from './secretCommands.ts';
import type { SecretVault } from './secretVault.ts';
import { approvalCommands } from './approvalCommands.ts';
import type { ApprovalsView } from './approvalsView.ts';
import { tokenCommands } from './tokenCommands.ts';
import type { TokensView } from './tokensView.ts';
import { describeStatus, firstLine, messageOf } from './words.ts';

const { t } = vscode.l10n;
const BRIEF_MS = 3_000;

export interface CommandDeps {
  readonly controller: GatewayController;
  readonly feed: RegistryFeed;
  readonly vault: SecretVault;
  readonly tokens: TokensView;
  readonly approvals: ApprovalsView;
  readonly panel: PlaygroundPanel;
  readonly log: vscode.LogOutputChannel;
  /** Shows what a search found in the tree. */
  readonly reveal: (hit: SearchHit) => Promise<void>;
}

/** Registers every command of the manifest. A command that fails says so in a notification. */
export function registerCommands(deps: CommandDeps): vscode.Disposable {
  const { controller, feed, vault, panel, log } = deps;
  const handlers: Record<string, (argument: unknown) => unknown> = {
    [COMMANDS.start]: () => {
      controller.start();
    },
    [COMMANDS.stop]: () => controller.stop(),
    [COMMANDS.restart]: () => {
      controller.restart();
    },
    [COMMANDS.refresh]: () => feed.refresh(),
    [COMMANDS.openPlayground]: () => {
      panel.show();
    },
    [COMMANDS.copyAddress]: () => copy(`${running(controller).address}/mcp`, t('MCP address copied')),
    [COMMANDS.copyToken]: async () => copy(await vault.ownerToken(), t('Token copied')),
    [COMMANDS.showLog]: () => {
      log.show();
    },
    [COMMANDS.openConfiguration]: async () => {
      const file = vscode.Uri.file(await controller.configFiles.ensure());
      await vscode.window.showTextDocument(file);
    },
    [COMMANDS.exportConfiguration]: (folder) =>
      exportConfiguration(running(controller), folder instanceof vscode.Uri ? folder : undefined),
    [COMMANDS.setSecret]: () => setSecret(vault),
    [COMMANDS.deleteSecret]: () => deleteSecret(vault),
    [COMMANDS.reviewChange]: (change) => reviewChange(deps, change),
    [COMMANDS.acceptChange]: (change) => decideOnChange(deps, 'accept', change),
    [COMMANDS.rejectChange]: (change) => decideOnChange(deps, 'reject', change),
    [COMMANDS.acceptAllChanges]: (server) => acceptAllChanges(deps, server),
    ...approvalCommands({ client: () => running(controller), view: deps.approvals }),
    ...grantCommands({ client: () => running(controller), view: deps.approvals }),
    ...tokenCommands({ client: () => running(controller), feed, view: deps.tokens }),
    ...credentialCommands({ client: () => running(controller), feed }),
    ...accessCommands(new RegistryChanges(() => running(controller))),
    [COMMANDS.explainAccess]: (node) =>
      explainAccess(running(controller), () => controller.configFiles.ensure(), node),
    ...registryCommands({ client: () => running(controller), feed, vault, reveal: deps.reveal }),
    [COMMANDS.showMenu]: () => showMenu(controller),
  };
  const registrations = Object.entries(handlers).map(([id, handler]) =>
    vscode.commands.registerCommand(id, async (argument: unknown) => {
      try {
        await handler(argument);
      } catch (error) {
        log.error(`${id}: ${messageOf(error)}`);
        void vscode.window.showErrorMessage(messageOf(error));
      }
    }),
  );
  return vscode.Disposable.from(...registrations);
}

/** The running gateway's client; throws, with words for the user, when none runs. */
export function running(controller: GatewayController): GatewayClient {
  if (controller.client === undefined) throw new Error(t('The gateway is not running. Start it first.'));
  return controller.client;
}

async function copy(text: string, done: string): Promise<void> {
  await vscode.env.clipboard.writeText(text);
  vscode.window.setStatusBarMessage(`$(check) ${done}`, BRIEF_MS);
}

/** What the status bar item offers: the commands that make sense now. */
async function showMenu(controller: GatewayController): Promise<void> {
  const { status } = controller.status;
  const item = (
    icon: string,
    label: string,
    command: string,
  ): vscode.QuickPickItem & { command: string } => ({
    label,
    iconPath: new vscode.ThemeIcon(icon),
    command,
  });
  const items =
    status === 'running'
      ? [
          item('comment-discussion', t('Open Playground'), COMMANDS.openPlayground),
          item('copy', t('Copy MCP Address'), COMMANDS.copyAddress),
          item('key', t('Copy Token'), COMMANDS.copyToken),
        ]
      : [];
  if (status === 'stopped') items.push(item('play', t('Start Gateway'), COMMANDS.start));
  else items.push(item('debug-restart', t('Restart Gateway'), COMMANDS.restart));
  if (status !== 'stopped') items.push(item('debug-stop', t('Stop Gateway'), COMMANDS.stop));
  items.push(
    item('settings-gear', t('Open Configuration'), COMMANDS.openConfiguration),
    item('output', t('Show Log'), COMMANDS.showLog),
  );
  const title = firstLine(describeStatus(controller.status));
  const picked = await vscode.window.showQuickPick(items, { title });
  if (picked !== undefined) await vscode.commands.executeCommand(picked.command);
}
