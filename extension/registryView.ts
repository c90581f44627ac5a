import * as vscode from 'vscode';
import type { SearchHit } from '../gateway/contract/search.ts';
import type { GatewayController } from './gatewayController.ts';
import type { RegistryFeed } from './registryFeed.ts';
import { allServers, countWaiting, findNode } from './registryNodes.ts';
import { RegistryTree } from './registryTree.ts';
import { countChanges } from './words.ts';

const { t } = vscode.l10n;

/** Shows the registry tree, and keeps the context keys that its welcome texts and buttons depend on. */
export function showRegistryView(
  controller: GatewayController,
  feed: RegistryFeed,
): {
  tree: RegistryTree;
  reveal: (hit: SearchHit) => Promise<void>;
  disposable: vscode.Disposable;
} {
  const tree = new RegistryTree(controller, feed);
  const view = vscode.window.createTreeView('toolgate.registry', {
    treeDataProvider: tree,
    showCollapseAll: true,
  });
  const update = (): void => {
    const { registry, error } = feed;
    const { status } = controller.status;
    const empty = registry !== undefined && allServers(registry).length === 0;
    void vscode.commands.executeCommand('setContext', 'toolgate.status', status);
    void vscode.commands.executeCommand('setContext', 'toolgate.empty', empty);
    const waiting = registry === undefined ? 0 : countWaiting(registry);
    view.badge =
      waiting === 0 ? undefined : { value: waiting, tooltip: t('{0} to review', countChanges(waiting)) };
    view.message = viewMessage(status, registry === undefined, error);
  };
  update();
  const disposable = vscode.Disposable.from(view, feed.onDidChange(update));
  const reveal = async (hit: SearchHit): Promise<void> => {
    const node = findNode(feed.registry, hit);
    if (node !== undefined) await view.reveal(node, { select: true, focus: true, expand: true });
  };
  return { tree, reveal, disposable };
}

function viewMessage(status: string, unread: boolean, error: string | undefined): string {
  if (error !== undefined) return t('The registry could not be read: {0}', error);
  if (status === 'starting') return t('The gateway is starting…');
  return status === 'running' && unread ? t('Reading the registry…') : '';
}
