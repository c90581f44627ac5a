import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { COMMANDS } from '../../../extension/commandIds.ts';
import { descendants, eventually, failed, internals, isAlive, itemWhen, running } from './support.ts';

export function lifecycleSuite(): void {
  describe('life of the gateway', () => {
    it('shows in words that the gateway was killed, and heals by itself', async () => {
      const { pid } = await running();
      process.kill(pid, 'SIGKILL');
      assert.match(await failed(), /SIGKILL[^]*starts again in/);
      await running((now) => now !== pid);
      await itemWhen(['common', 'everything-mcp', 'Tools (']);
    });

    it('restarts on command, with another process', async () => {
      const { pid } = await running();
      await vscode.commands.executeCommand(COMMANDS.restart);
      await running((now) => now !== pid);
      assert.ok(!isAlive(pid));
    });

    it('lists the servers anew on command', async () => {
      await itemWhen(['common', 'everything-mcp', 'Tools (']);
      await vscode.commands.executeCommand(COMMANDS.refresh);
      await itemWhen(['common', 'everything-mcp', 'Tools (']);
    });

    it('ends with the gateway every process it started, and stays stopped', async () => {
      const { controller, tree } = await internals();
      const { pid } = await running();
      await itemWhen(['common', 'everything-mcp', 'Tools (']);
      const family = [pid, ...descendants(pid)];
      assert.ok(family.length > 1, 'the gateway runs its stdio servers');
      await vscode.commands.executeCommand(COMMANDS.stop);
      await eventually('no process left', () => (family.some(isAlive) ? undefined : true), 5_000);
      assert.equal(controller.status.status, 'stopped');
      assert.deepEqual(tree.getChildren(), []);
    });

    it('starts again on command', async () => {
      await vscode.commands.executeCommand(COMMANDS.start);
      await running();
      await itemWhen(['common', 'everything-mcp', 'Tools (']);
    });
  });
}
