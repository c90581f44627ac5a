import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { COMMANDS } from '../../../extension/commandIds.ts';
import { newTokenSchema } from '../../../gateway/contract/tokens.ts';
import { eventually, internals, running } from './support.ts';

export function tokensSuite(): void {
  describe('tokens', () => {
    it('lists what tokens there are, by whose they are and how long they hold, and never a value', async () => {
      await running();
      const { controller, tokens } = await internals();
      const body = {
        name: 'nightly',
        subject: 'user:ann@example.com',
        expires: '30d',
        scope: { servers: ['common:calculator-mcp'] },
      };
      const made = newTokenSchema.parse(await controller.client?.json('POST', '/api/v1/tokens', body));
      await vscode.commands.executeCommand(COMMANDS.refreshTokens);
      const [token] = tokens.getChildren().filter(({ name }) => name === 'nightly');
      assert.ok(token);
      const item = tokens.getTreeItem(token);
      assert.equal(item.description, 'user:ann@example.com · expires in 30 days');
      assert.ok(typeof item.tooltip === 'string');
      assert.match(item.tooltip, /Only servers: common:calculator-mcp/);
      assert.equal(item.contextValue, 'token');
      assert.ok(!JSON.stringify([item, tokens.getChildren()]).includes(made.token));
    });

    it('is empty while the gateway is stopped, and lists them again when it runs', async () => {
      const { tokens } = await internals();
      await vscode.commands.executeCommand(COMMANDS.stop);
      await eventually('no tokens', () => (tokens.getChildren().length === 0 ? true : undefined));
      await vscode.commands.executeCommand(COMMANDS.start);
      await running();
      await eventually('the token', () => tokens.getChildren().find(({ name }) => name === 'nightly'));
    });
  });
}
