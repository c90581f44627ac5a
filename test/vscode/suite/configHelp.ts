import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { configUri, eventually } from './support.ts';

const TEXT = `version: 1
groups:
  - name: g
    pins: whatever
    servers:
      - name: s
        url: https://a.test/mcp
        
`;

export function configHelpSuite(): void {
  describe('help with a configuration', () => {
    let uri: vscode.Uri;
    let document: vscode.TextDocument;
    before(async () => {
      uri = vscode.Uri.joinPath(configUri(), '../help/toolgate.yaml');
      await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(TEXT));
      document = await vscode.workspace.openTextDocument(uri);
      await vscode.window.showTextDocument(document);
    });
    after(async () => {
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
      await vscode.workspace.fs.delete(vscode.Uri.joinPath(uri, '..'), { recursive: true });
    });

    const labels = async (line: number, column: number): Promise<string[]> => {
      const list = await vscode.commands.executeCommand<vscode.CompletionList>(
        'vscode.executeCompletionItemProvider',
        uri,
        new vscode.Position(line, column),
      );
      return list.items.map(({ label }) => (typeof label === 'string' ? label : label.label));
    };

    it('marks what is wrong where it stands', async () => {
      const [problem] = await eventually('a problem', () => {
        const found = vscode.languages.getDiagnostics(uri);
        return found.length > 0 ? found : undefined;
      });
      assert.equal(problem?.range.start.line, 3);
      assert.match(problem.message, /groups\[0\]\.pins/);
    });

    it('proposes keys and values', async () => {
      const keys = await labels(7, 8);
      for (const key of ['auth', 'allowPrivateAddress', 'tools']) assert.ok(keys.includes(key), key);
      assert.ok(!keys.includes('groups'));
      const values = await labels(3, 10);
      for (const value of ['review', 'trust']) assert.ok(values.includes(value), value);
    });

    it('says what a key takes', async () => {
      const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
        'vscode.executeHoverProvider',
        uri,
        new vscode.Position(3, 5),
      );
      const text = hovers.flatMap(({ contents }) =>
        contents.map((one) => (one instanceof vscode.MarkdownString ? one.value : '')),
      );
      assert.match(text.join(), /pins.*review \| trust/);
    });
  });
}
