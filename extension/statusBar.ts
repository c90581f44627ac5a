import * as vscode from 'vscode';
import { COMMANDS } from './commandIds.ts';
import type { GatewayController } from './gatewayController.ts';
import type { RegistryFeed } from './registryFeed.ts';
import { allServers } from './registryNodes.ts';
import { countServers, describeServerState, describeStatus, firstLine } from './words.ts';

const { t } = vscode.l10n;

/** The gateway's state and its servers' number in the status bar; a click opens the menu. */
export function showStatusBarItem(controller: GatewayController, feed: RegistryFeed): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('toolgate.status', vscode.StatusBarAlignment.Left, 10);
  item.name = 'Toolgate';
  item.command = COMMANDS.showMenu;
  const update = (): void => {
    const { status } = controller;
    const servers = feed.registry === undefined ? undefined : allServers(feed.registry);
    const failed = servers?.filter(({ state }) => state === 'failed') ?? [];
    const count = servers === undefined ? '' : ` ${servers.length}`;
    item.text = `${icon(status.status)} Toolgate${count}`;
    item.tooltip = [
      `${describeStatus(status)}${servers === undefined ? '' : ` ${countServers(servers.length)}.`}`,
      ...failed.map((server) =>
        t('{0} {1}: {2}', server.fqn, describeServerState(server), firstLine(server.lastError ?? '')),
      ),
    ].join('\n');
    item.backgroundColor =
      status.status === 'failed' ? new vscode.ThemeColor('statusBarItem.errorBackground') : undefined;
    item.accessibilityInformation = { label: `Toolgate. ${item.tooltip}` };
  };
  update();
  item.show();
  return vscode.Disposable.from(item, feed.onDidChange(update));
}

function icon(status: GatewayController['status']['status']): string {
  switch (status) {
    case 'stopped':
      return '$(circle-slash)';
    case 'starting':
      return '$(loading~spin)';
    case 'running':
      return '$(plug)';
    case 'failed':
      return '$(error)';
  }
}
