import { parsePatch, reversePatch } from 'diff';
import * as vscode from 'vscode';
import { approvalText } from '../gateway/contract/approval-text.ts';
import { approvalViewSchema, type ApprovalView } from '../gateway/contract/approvals.ts';
import type { GatewayController } from './gatewayController.ts';

const { t } = vscode.l10n;

/** Of the documents that show an approval, or one side of a change it is about. */
const SCHEME = 'toolgate-approval';

/** Shows an approval: the change it would make as a diff where it has one, else all that is known of it. */
export async function showApproval(approval: ApprovalView): Promise<void> {
  const [change] = approval.diffs;
  if (change === undefined) {
    const document = await vscode.workspace.openTextDocument(uriOf(approval.id, 'whole'));
    await vscode.window.showTextDocument(document, { preview: true });
    return;
  }
  await vscode.commands.executeCommand(
    'vscode.diff',
    uriOf(approval.id, 'before'),
    uriOf(approval.id, 'after'),
    t('{0}: {1} of {2}', approval.tool, change.argument, approval.subject),
    { preview: true },
  );
}

type Side = 'whole' | 'before' | 'after';

function uriOf(id: string, side: Side): vscode.Uri {
  return vscode.Uri.from({ scheme: SCHEME, path: `/${side}/${id}.txt` });
}

/** Gives the editor approvals as documents that nobody can edit. */
export function provideApprovalDocuments(controller: Pick<GatewayController, 'client'>): vscode.Disposable {
  return vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
    provideTextDocumentContent: async ({ path }) => {
      const [, side, id] = /^\/(whole|before|after)\/([\w-]+)\.txt$/.exec(path) ?? [];
      if (id === undefined || controller.client === undefined) return t('The gateway is not running.');
      const approval = approvalViewSchema.parse(
        await controller.client.json('GET', `/api/v1/approvals/${id}`),
      );
      if (side === 'whole') return approvalText(approval, Date.now());
      return approval.diffs.map(({ text }) => sideOf(text, side === 'before')).join('\n');
    },
  });
}

/** What of the files a unified diff tells, before or after it: its hunks, with what is between them left out. */
export function sideOf(diff: string, before: boolean): string {
  const patches = parsePatch(diff);
  const wanted = before ? patches.map((patch) => reversePatch(patch)) : patches;
  return wanted
    .map(({ hunks, newFileName, oldFileName }) =>
      [
        `# ${(before ? newFileName : newFileName) ?? oldFileName ?? ''}`.trim(),
        ...hunks.map(({ lines }) =>
          lines
            .filter((line) => !line.startsWith('-') && !line.startsWith('\\'))
            .map((line) => line.slice(1))
            .join('\n'),
        ),
      ].join('\n…\n'),
    )
    .join('\n\n');
}
