import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { COMMANDS } from '../../../extension/commandIds.ts';
import type { ApprovalView } from '../../../gateway/contract/approvals.ts';
import { approvalGrantListSchema } from '../../../gateway/contract/approvals.ts';
import type { PlaygroundMessage } from '../../../gateway/contract/playground.ts';
import { eventually, internals, labelOf, running } from './support.ts';

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

    it('lists what was let stand, counts it among nothing that waits, and follows its end', async () => {
      const { approvals, controller, connectPlayground } = await internals();
      const standing = () => {
        const node = approvals.getChildren().find((one) => 'grants' in one);
        const [grant] = approvals.getChildren(node).filter((one) => 'uses' in one);
        return (
          node && grant && { node: approvals.getTreeItem(node), grant, item: approvals.getTreeItem(grant) }
        );
      };
      assert.equal(standing(), undefined);
      const held = call('ask: for a while');
      const approval = await waiting('ask: for a while');
      const scope = { minutes: 15 };
      await controller.client?.json('POST', `/api/v1/approvals/${approval.id}/approve`, { scope });
      await held;
      await eventually('what stands', standing);
      assert.match(JSON.stringify(await call('ask: passes')), /"status":200/);
      const { node, grant, item } = await eventually('its use', () => {
        const now = standing();
        return now?.grant.uses === 1 ? now : undefined;
      });
      assert.equal(labelOf(node), 'Standing approvals');
      assert.equal(node.accessibilityInformation?.label, 'Standing approvals, 1');
      assert.equal(labelOf(item), 'echo · everything-mcp');
      assert.match(String(item.description), /^1[45] min left · used once · user:owner$/);
      assert.match(
        item.accessibilityInformation?.label ?? '',
        /^Standing approval: echo on .* for user:owner, /,
      );
      assert.ok(typeof item.tooltip === 'string');
      assert.match(item.tooltip, /Approved by user:owner .* ago, used once\nId: grant_/);
      assert.equal(item.contextValue, 'grant');
      assert.deepEqual(
        approvals.approvals.filter(({ mayDecide }) => mayDecide),
        [],
      );
      const messages: PlaygroundMessage[] = [];
      const host = connectPlayground((message) => messages.push(message));
      const path = '/api/v1/approval-grants';
      await host.receive({ type: 'request', id: 1, method: 'GET', path });
      const reply = messages.find((one) => one.type === 'reply');
      assert.deepEqual(approvalGrantListSchema.parse(reply?.body).grants, [grant]);
      await host.receive({ type: 'request', id: 2, method: 'DELETE', path: `${path}/${grant.id}` });
      host.dispose();
      await eventually('its end', () => (standing() === undefined ? true : undefined));
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
