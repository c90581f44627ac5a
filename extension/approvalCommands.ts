import * as vscode from 'vscode';
import { approvalTitle } from '../gateway/contract/approval-text.ts';
import { approvalViewSchema, type ApprovalScope, type ApprovalView } from '../gateway/contract/approvals.ts';
import { showApproval } from './approvalDocuments.ts';
import type { ApprovalsView } from './approvalsView.ts';
import { COMMANDS } from './commandIds.ts';
import type { GatewayClient } from './gatewayClient.ts';
import { messageOf } from './words.ts';

const { t } = vscode.l10n;

interface Deps {
  readonly client: () => GatewayClient;
  readonly view: ApprovalsView;
}

type Handler = (approval: unknown) => Promise<unknown>;

/** The commands of the list of approvals. From the palette there is none given: it is asked for. */
export function approvalCommands(deps: Deps): Record<string, Handler> {
  const about =
    (work: (approval: ApprovalView) => Promise<unknown>): Handler =>
    async (given) => {
      const approval = approvalViewSchema.safeParse(given).data ?? (await pick(deps.view));
      if (approval !== undefined) await work(approval);
    };
  return {
    [COMMANDS.showApproval]: about(showApproval),
    [COMMANDS.approve]: about((approval) => approve(deps, approval, 'once')),
    [COMMANDS.approveFor]: about(async (approval) => {
      const scope = await pickScope(approval);
      if (scope !== undefined) await approve(deps, approval, scope);
    }),
    [COMMANDS.deny]: about((approval) => deny(deps, approval)),
  };
}

/** Tells of each call that begins to wait for the user's word; of many at once in one notification. */
export function noticeApprovals({ client, view }: Deps): vscode.Disposable {
  return view.onDidArrive((approvals) => {
    const [first, ...others] = approvals;
    if (first === undefined) return;
    if (others.length > 2) {
      const show = t('Show');
      void vscode.window
        .showWarningMessage(t('{0} calls wait for your approval.', approvals.length), show)
        .then((choice) => choice === show && vscode.commands.executeCommand('toolgate.approvals.focus'));
      return;
    }
    for (const approval of approvals) void notice({ client, view }, approval);
  });
}

async function notice(deps: Deps, approval: ApprovalView): Promise<void> {
  const [yes, no, show] = [t('Approve'), t('Deny'), t('Show')];
  const choice = await vscode.window.showWarningMessage(
    t('{0}. {1}', approvalTitle(approval), approval.reason),
    yes,
    no,
    show,
  );
  if (choice === yes) await approve(deps, approval, 'once');
  else if (choice === no) await deny(deps, approval);
  else if (choice === show) await showApproval(approval);
}

async function pick(view: ApprovalsView): Promise<ApprovalView | undefined> {
  const waiting = view.approvals.filter(({ mayDecide }) => mayDecide);
  if (waiting.length === 0) {
    void vscode.window.showInformationMessage(t('Nothing waits for your approval.'));
    return undefined;
  }
  const items = waiting.map((approval) => ({
    label: approvalTitle(approval),
    detail: approval.reason,
    approval,
  }));
  return (await vscode.window.showQuickPick(items, { title: t('Which call?') }))?.approval;
}

async function pickScope({ subject, tool }: ApprovalView): Promise<ApprovalScope | undefined> {
  const items: { label: string; scope: ApprovalScope }[] = [
    { label: t('This call'), scope: 'once' },
    { label: t('Until this run or session is over'), scope: 'session' },
    { label: t('15 minutes'), scope: { minutes: 15 } },
    { label: t('1 hour'), scope: { minutes: 60 } },
  ];
  const title = t('Approve {0} of {1}, whatever its arguments, for how long?', tool, subject);
  return (await vscode.window.showQuickPick(items, { title }))?.scope;
}

async function approve(deps: Deps, { id }: ApprovalView, scope: ApprovalScope): Promise<void> {
  await decide(deps, `/api/v1/approvals/${id}/approve`, { scope });
}

async function deny(deps: Deps, approval: ApprovalView): Promise<void> {
  const reason = await vscode.window.showInputBox({
    title: t('Deny: {0}', approvalTitle(approval)),
    prompt: t('Why? The caller and its model are told. It may be left empty.'),
    ignoreFocusOut: true,
  });
  if (reason === undefined) return;
  const words = reason.trim();
  await decide(deps, `/api/v1/approvals/${approval.id}/deny`, words === '' ? {} : { reason: words });
}

/** Says the gateway's own words where it is too late, or not the user's to decide. */
async function decide({ client, view }: Deps, path: string, body: object): Promise<void> {
  try {
    await client().json('POST', path, body);
  } catch (error) {
    void vscode.window.showErrorMessage(messageOf(error));
  }
  await view.refresh();
}
