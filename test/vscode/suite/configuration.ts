import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo } from 'node:net';
import * as vscode from 'vscode';
import { COMMANDS } from '../../../extension/commandIds.ts';
import {
  configUri,
  eventually,
  failed,
  findNode,
  internals,
  itemWhen,
  readConfig,
  running,
  writeConfig,
} from './support.ts';

const SECRET_SERVER = `
  - name: secret-mcps
    servers:
      - name: secret-mcp
        command: node
        args: ["\${env:TOOLGATE_TEST_MODULES}/@modelcontextprotocol/server-everything/dist/index.js"]
        env: { SERVICE_KEY: "\${secret:service-key}" }
`;

export function configurationSuite(): void {
  describe('configuration', () => {
    let original: string;
    before(async () => {
      original = await readConfig();
    });
    afterEach(async () => {
      if ((await readConfig()) === original) return;
      await writeConfig(original);
      await running();
      await itemWhen(['common', 'everything-mcp']);
      await eventually('the former registry', async () =>
        (await findNode('secret-mcps')) === undefined ? true : undefined,
      );
    });

    it("uses the workspace's toolgate.yaml and opens it", async () => {
      await vscode.commands.executeCommand(COMMANDS.openConfiguration);
      assert.equal(vscode.window.activeTextEditor?.document.uri.fsPath, configUri().fsPath);
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    });

    it('takes up a saved change', async () => {
      await writeConfig(original.replace('name: common', 'name: renamed'));
      const group = await itemWhen(['renamed']);
      assert.equal(group.description, 'test · 2 servers');
    });

    it('shows the error of a wrong configuration in words, does not try again, and heals when it is corrected', async () => {
      const { controller } = await internals();
      await writeConfig(original.replace('groups:', 'grups:'));
      const words = await failed();
      assert.match(words, /^toolgate\.yaml:\d+:\d+ grups: .*groups/);
      const { status } = controller;
      assert.equal(status.status === 'failed' ? status.retryInMs : 0, undefined);
      await writeConfig(original);
      await running();
      await itemWhen(['common', 'everything-mcp']);
    });

    it('says that a port is taken, and goes on with a free one', async () => {
      const { pid } = await running();
      const blocker = net.createServer().listen(0, '127.0.0.1');
      await once(blocker, 'listening');
      const { port } = blocker.address() as AddressInfo;
      const settings = vscode.workspace.getConfiguration('toolgate');
      try {
        await settings.update('port', port, vscode.ConfigurationTarget.Global);
        assert.match(await failed(), new RegExp(`port ${port} .*taken`));
        await settings.update('port', 0, vscode.ConfigurationTarget.Global);
        const { address } = await running((now) => now !== pid);
        assert.notEqual(new URL(address).port, String(port));
      } finally {
        blocker.close();
      }
    });

    it('names a secret that is missing, and uses it once it is set (P92)', async () => {
      const { vault } = await internals();
      await writeConfig(original.replace('groups:', `groups:${SECRET_SERVER.trimEnd()}`));
      const server = ['secret-mcps', 'secret-mcp'];
      await itemWhen(server, ({ description }) => String(description).includes('service-key'));
      await vault.set('service-key', 'opensesame');
      await itemWhen(server, ({ description }) => String(description).startsWith('ready'));
      await vault.delete('service-key');
      assert.deepEqual(vault.names(), []);
      await itemWhen(server, ({ description }) => String(description).includes('service-key'));
    });
  });
}
