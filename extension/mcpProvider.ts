import * as vscode from 'vscode';
import type { GatewayController } from './gatewayController.ts';
import type { RegistryFeed } from './registryFeed.ts';
import type { SecretVault } from './secretVault.ts';
import { toolsVersion } from './toolsVersion.ts';

/**
 * Offers the running gateway to VS Code as one MCP server, so that its chat and every extension get the tools of
 * all registered servers.
 */
export function provideMcpServer(
  controller: GatewayController,
  feed: RegistryFeed,
  vault: SecretVault,
): vscode.Disposable {
  const changed = new vscode.EventEmitter<void>();
  let offered = '';
  const subscription = feed.onDidChange(() => {
    const now = `${controller.client?.address} ${toolsVersion(feed.registry)}`;
    if (now === offered) return;
    offered = now;
    changed.fire();
  });
  const registration = vscode.lm.registerMcpServerDefinitionProvider('toolgate.gateway', {
    onDidChangeMcpServerDefinitions: changed.event,
    provideMcpServerDefinitions: async () => {
      const { client } = controller;
      if (client === undefined) return [];
      const uri = vscode.Uri.parse(`${client.address}/mcp`);
      const headers = { Authorization: `Bearer ${await vault.ownerToken()}` };
      return [new vscode.McpHttpServerDefinition('Toolgate', uri, headers, toolsVersion(feed.registry))];
    },
  });
  return vscode.Disposable.from(registration, subscription, changed);
}
