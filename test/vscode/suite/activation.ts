import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import * as z from 'zod';
import { COMMANDS } from '../../../extension/commandIds.ts';
import { isToken } from '../../../gateway/contract/token.ts';
import { extension, internals, itemWhen, running } from './support.ts';

const manifestSchema = z.object({
  contributes: z.object({ commands: z.array(z.object({ command: z.string() })) }),
});

export function activationSuite(): void {
  describe('activation', () => {
    it('starts the gateway with the window', async () => {
      await internals();
      const { address } = await running();
      assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/);
    });

    it('registers every command the manifest contributes', async () => {
      const registered = await vscode.commands.getCommands(true);
      const manifest = manifestSchema.parse(extension().packageJSON);
      const contributed = manifest.contributes.commands.map(({ command }) => command);
      assert.deepEqual(contributed.toSorted(), Object.values(COMMANDS).toSorted());
      for (const command of contributed) assert.ok(registered.includes(command), command);
    });

    it('shows group, server, tools, resources and prompts of real servers', async () => {
      const group = await itemWhen(['common']);
      assert.equal(group.description, 'test · 2 servers');
      const server = await itemWhen(['common', 'everything-mcp'], ({ description }) =>
        String(description).startsWith('ready'),
      );
      assert.match(String(server.description), /^ready · \d+ tools$/);
      assert.match(server.accessibilityInformation?.label ?? '', /^everything-mcp, ready/);
      const echo = await itemWhen(['common', 'everything-mcp', 'Tools (', 'echo']);
      assert.ok(echo.description);
      await itemWhen(['common', 'everything-mcp', 'Resources (']);
      await itemWhen(['common', 'everything-mcp', 'Prompts (']);
      const add = await itemWhen(['common', 'calculator-mcp', 'Tools (4)', 'add']);
      assert.equal(add.contextValue, 'tool');
    });

    it('says in words why a server failed', async () => {
      const server = await itemWhen(['dev-mcps', 'broken-mcp'], ({ description }) =>
        String(description).startsWith('failed · '),
      );
      assert.ok(server.iconPath instanceof vscode.ThemeIcon);
      assert.equal(server.iconPath.id, 'error');
      const { tree } = await internals();
      const [dev] = tree
        .getChildren()
        .filter((node) => node.kind === 'group' && node.group.name === 'dev-mcps');
      const [broken] = tree.getChildren(dev);
      const [notice] = tree.getChildren(broken);
      assert.equal(notice?.kind, 'notice');
      assert.match(notice.text, /no-such-program/);
    });

    it('makes an owner token, keeps it in SecretStorage alone, and the gateway takes it (P83)', async () => {
      const { address, pid } = await running();
      const registry = `${address}/api/v1/registry`;
      await vscode.commands.executeCommand(COMMANDS.copyToken);
      const token = await vscode.env.clipboard.readText();
      assert.ok(isToken(token));
      const headers = { authorization: `Bearer ${token}` };
      assert.equal((await fetch(registry)).status, 401);
      assert.equal((await fetch(registry, { headers })).status, 200);
      for (const file of ['cmdline', 'environ']) {
        assert.ok(!(await readFile(`/proc/${pid}/${file}`, 'utf8')).includes(token), file);
      }
    });

    it('keeps the token out of every file of its data folder', async () => {
      const { vault, controller } = await internals();
      const token = await vault.ownerToken();
      const data = path.dirname(controller.dataDir);
      const files = await readdir(data, { recursive: true, withFileTypes: true });
      const names = files
        .filter((file) => file.isFile())
        .map((file) => path.join(file.parentPath, file.name));
      assert.ok(names.length > 0, 'the gateway writes to its data folder');
      for (const name of names) assert.ok(!(await readFile(name, 'latin1')).includes(token), name);
    });

    it('copies the MCP address', async () => {
      const { address } = await running();
      await vscode.commands.executeCommand(COMMANDS.copyAddress);
      assert.equal(await vscode.env.clipboard.readText(), `${address}/mcp`);
    });
  });
}
