import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { COMMANDS } from '../../../extension/commandIds.ts';
import type { ApprovalView } from '../../../gateway/contract/approvals.ts';
import { eventually, internals, running } from './support.ts';

const DIFF = '--- a/x.txt\n+++ b/x.txt\n@@ -1,2 +1,2 @@\n same\n-old line\n+new line';

export function approvalsSuite(): void {
  describe('approvals', () => {
    const call = async (message: string): Promise<unknown> => {
      const { controller } = await internals();
      const body = { server: 'common:everything-mcp', tool: 'echo', arguments: { message } };
      return controller.client?.request('POST', '/api/v1/calls', body);
    };
    const waiting = async (message: string): Promise<ApprovalView> => {
      const { approvals } = await internals();
      return eventually('a call that waits', () =>
        approvals.approvals.find(
          ({ arguments: args, mayDecide }) => args['message'] === message && mayDecide,
        ),
      );
    };

    it('lists a call that waits, shows it whole, and lets it through', async () => {
      await running();
      const { approvals } = await internals();
      const held = call('ask: hello');
      const approval = await waiting('ask: hello');
      const item = approvals.getTreeItem(approval);
      assert.equal(item.label, 'echo · everything-mcp');
      assert.match(String(item.description), /^waits, \d+ min left · user:owner$/);
      assert.equal(item.contextValue, 'approval.open');
      await vscode.commands.executeCommand(COMMANDS.showApproval, approval);
      const shown = vscode.window.activeTextEditor?.document.getText() ?? '';
      assert.match(shown, /user:owner wants to run echo[^]*It says so\.[^]*"message": "ask: hello"/);
      const tab = vscode.window.tabGroups.activeTabGroup.activeTab;
      assert.equal(tab?.label, `echo · everything-mcp · ${approval.id.slice(-6)}`);
      // Without more, it is about what is looked at.
      await vscode.commands.executeCommand(COMMANDS.approve);
      assert.equal(vscode.window.tabGroups.activeTabGroup.activeTab?.input, undefined);
      assert.match(JSON.stringify(await held), /"status":200.*Echo: ask: hello/);
      await eventually('what is decided', () =>
        approvals.approvals.find(({ id, status }) => id === approval.id && status === 'spent'),
      );
    });

    it('shows what a change would do as a diff, and follows what is decided elsewhere', async () => {
      const { approvals, controller } = await internals();
      const message = `ask:\n${DIFF}`;
      const held = call(message);
      const approval = await waiting(message);
      await vscode.commands.executeCommand(COMMANDS.showApproval, approval);
      const tab = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
      assert.ok(tab instanceof vscode.TabInputTextDiff);
      const [before, after] = await Promise.all(
        [tab.original, tab.modified].map(async (uri) =>
          (await vscode.workspace.openTextDocument(uri)).getText(),
        ),
      );
      assert.match(before ?? '', /same\nold line/);
      assert.match(after ?? '', /same\nnew line/);
      await vscode.commands.executeCommand(COMMANDS.showApprovalArguments, tab.modified);
      const whole = vscode.window.activeTextEditor?.document;
      assert.match(whole?.getText() ?? '', /"message": "ask:\\n--- a\/x\.txt/);
      await controller.client?.json('POST', `/api/v1/approvals/${approval.id}/deny`, { reason: 'No.' });
      assert.match(JSON.stringify(await held), /"status":403.*denied by user:owner: No\./);
      await eventually('the denial', () =>
        approvals.approvals.find(({ id, status }) => id === approval.id && status === 'denied'),
      );
      await eventually('the text that says so', () =>
        whole?.getText().includes('denied by user:owner') === true ? true : undefined,
      );
      // Too late: it is said in words, and nothing is thrown.
      await vscode.commands.executeCommand(COMMANDS.approve, tab.modified);
      await vscode.commands.executeCommand('workbench.action.closeAllEditors');
    });
  });
}
