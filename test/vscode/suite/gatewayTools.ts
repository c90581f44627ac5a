import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import * as vscode from 'vscode';
import { COMMANDS } from '../../../extension/commandIds.ts';
import { eventually, itemWhen, running } from './support.ts';

const CALL_TIMEOUT_MS = 20_000;
/** What tells `workbench.mcp.startServer` to start every server; VS Code 1.108 does so when told nothing. */
const EVERY_SERVER = vscode.version.startsWith('1.108.') ? [] : ['*', { waitForLiveTools: true }];

/** A tool of the gateway as VS Code's own MCP client knows it. */
async function lmTool(name: string): Promise<vscode.LanguageModelToolInformation> {
  return eventually(`the tool ${name} in VS Code`, async () => {
    await vscode.commands.executeCommand('workbench.mcp.startServer', ...EVERY_SERVER);
    return vscode.lm.tools.find((tool) => tool.name.endsWith(name));
  });
}

async function invoke(name: string, input: object): Promise<string> {
  const tool = await lmTool(name);
  const source = new vscode.CancellationTokenSource();
  const timer = setTimeout(() => {
    source.cancel();
  }, CALL_TIMEOUT_MS);
  try {
    const options = { input, toolInvocationToken: undefined };
    const result = await vscode.lm.invokeTool(tool.name, options, source.token);
    return result.content
      .map((part) => (part instanceof vscode.LanguageModelTextPart ? part.value : ''))
      .join('');
  } finally {
    clearTimeout(timer);
    source.dispose();
  }
}

export function gatewayToolsSuite(): void {
  describe("VS Code's own MCP client", () => {
    it('finds the gateway without a setting, lists its tools and calls one (P79, P82, P89)', async () => {
      await itemWhen(['common', 'everything-mcp', 'Tools (', 'echo']);
      assert.match(await invoke('everything-mcp__echo', { message: 'through the gate' }), /through the gate/);
    });

    it('calls a tool of a second server through the same connection (P16)', async () => {
      await itemWhen(['common', 'calculator-mcp', 'Tools (4)']);
      assert.match(await invoke('calculator-mcp__multiply', { a: 6, b: 7 }), /42/);
    });
  });

  describe('export', () => {
    it('writes a configuration with which the gateway can run elsewhere', async () => {
      await running();
      const folder = await mkdtemp(path.join(os.tmpdir(), 'toolgate-export-'));
      try {
        await vscode.commands.executeCommand(COMMANDS.exportConfiguration, vscode.Uri.file(folder));
        const files = await readdir(folder, { recursive: true });
        assert.ok(files.includes('toolgate.yaml'), files.join());
        assert.match(await readFile(path.join(folder, 'toolgate.yaml'), 'utf8'), /calculator-mcp/);
        const modes = await Promise.all(
          files.map(async (file) => (await stat(path.join(folder, file))).mode),
        );
        assert.ok(modes.some((mode) => (mode & 0o111) !== 0));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
}
