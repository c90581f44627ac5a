import * as vscode from 'vscode';
import { approvalText } from '../gateway/contract/approval-text.ts';
import { approvalViewSchema, type ApprovalView } from '../gateway/contract/approvals.ts';
import type { ApprovalsView } from './approvalsView.ts';
import { sideOf } from './diffSides.ts';
import { approvalName } from './documentNames.ts';
import type { GatewayController } from './gatewayController.ts';

const { t } = vscode.l10n;

/** Of the documents that show an approval, or one side of a change it is about. */
export const APPROVAL_SCHEME = 'toolgate-approval';

/** Shows an approval: the change it would make as a diff where it has one, else all that is known of it. */
export async function showApproval(approval: ApprovalView): Promise<void> {
  const [change] = approval.diffs;
  if (change === undefined) {
    await showWhole(approval);
    return;
  }
  await vscode.commands.executeCommand(
    'vscode.diff',
    uriOf(approval, 'before'),
    uriOf(approval, 'after'),
    t('{0}: {1} of {2}', approval.tool, change.argument, approval.subject),
    { preview: true },
  );
}

/** Shows all that is known of an approval, the exact arguments among it. */
export async function showWhole(approval: ApprovalView): Promise<void> {
  const document = await vscode.workspace.openTextDocument(uriOf(approval, 'whole'));
  await vscode.window.showTextDocument(document, { preview: true });
}

type Side = 'whole' | 'before' | 'after';

/** The file name is what tabs show, and by it menus know which of these documents can be decided. */
function uriOf(approval: ApprovalView, side: Side): vscode.Uri {
  const path = `/${side}/${approval.id}/${approvalName(approval)}`;
  return vscode.Uri.from({ scheme: APPROVAL_SCHEME, path });
}

function readUri({ scheme, path }: vscode.Uri): { readonly id: string; readonly side: Side } | undefined {
  const [, side, id] = /^\/(whole|before|after)\/([\w-]+)\//.exec(path) ?? [];
  return scheme === APPROVAL_SCHEME && id !== undefined ? { id, side: side as Side } : undefined;
}

/** The approval that a document of ours shows; undefined for any other. */
export function approvalIdOf(uri: vscode.Uri): string | undefined {
  return readUri(uri)?.id;
}

/** The approval that is shown in the editor in front. */
export function activeApprovalId(): string | undefined {
  const uri = uriOfTab(vscode.window.tabGroups.activeTabGroup.activeTab);
  return uri && approvalIdOf(uri);
}

/** Closes what shows an approval: what it asks has been decided here. */
export async function closeApproval(id: string): Promise<void> {
  const tabs = vscode.window.tabGroups.all.flatMap(({ tabs: all }) =>
    all.filter((tab) => {
      const uri = uriOfTab(tab);
      return uri !== undefined && approvalIdOf(uri) === id;
    }),
  );
  await vscode.window.tabGroups.close(tabs);
}

function uriOfTab(tab: vscode.Tab | undefined): vscode.Uri | undefined {
  const { input } = tab ?? {};
  if (input instanceof vscode.TabInputTextDiff) return input.modified;
  return input instanceof vscode.TabInputText ? input.uri : undefined;
}

/**
 * Gives the editor approvals as documents that nobody can edit, follows what is decided elsewhere, and tells menus
 * which of them can be decided (`toolgate.approvalsToDecide`, by their names).
 */
export function provideApprovalDocuments(
  controller: Pick<GatewayController, 'client'>,
  view: ApprovalsView,
): vscode.Disposable {
  const changed = new vscode.EventEmitter<vscode.Uri>();
  let before: readonly string[] = [];
  const follow = view.onDidChangeTreeData(() => {
    const open = view.approvals.filter(({ mayDecide }) => mayDecide);
    void vscode.commands.executeCommand('setContext', 'toolgate.approvalsToDecide', open.map(approvalName));
    const over = before.filter((id) => !open.some((one) => one.id === id));
    before = open.map(({ id }) => id);
    for (const { uri } of vscode.workspace.textDocuments) {
      const shown = readUri(uri);
      if (shown?.side === 'whole' && over.includes(shown.id)) changed.fire(uri);
    }
  });
  const provider = vscode.workspace.registerTextDocumentContentProvider(APPROVAL_SCHEME, {
    onDidChange: changed.event,
    provideTextDocumentContent: async (uri) => {
      const { id, side } = readUri(uri) ?? {};
      if (id === undefined || controller.client === undefined) return t('The gateway is not running.');
      const approval = approvalViewSchema.parse(
        await controller.client.json('GET', `/api/v1/approvals/${id}`),
      );
      if (side === 'whole') return approvalText(approval, Date.now());
      return approval.diffs.map(({ text }) => sideOf(text, side === 'before')).join('\n');
    },
  });
  return vscode.Disposable.from(provider, follow, changed);
}
