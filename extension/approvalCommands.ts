import * as vscode from 'vscode';
import { approvalState, approvalTitle } from '../gateway/contract/approval-text.ts';
import { approvalViewSchema, type ApprovalScope, type ApprovalView } from '../gateway/contract/approvals.ts';
import {
  activeApprovalId,
  approvalIdOf,
  closeApproval,
  showApproval,
  showWhole,
} from './approvalDocuments.ts';
import type { ApprovalsView } from './approvalsView.ts';
import { COMMANDS } from './commandIds.ts';
import type { GatewayClient } from './gatewayClient.ts';
import { messageOf } from './words.ts';

const { t } = vscode.l10n;
const BRIEF_MS = 3_000;

interface Deps {
  readonly client: () => GatewayClient;
  readonly view: ApprovalsView;
}

type Handler = (approval: unknown) => Promise<unknown>;

/**
 * The commands of approvals: of one in the list, of the one in the editor, or of one that is asked for.
 */
export function approvalCommands(deps: Deps): Record<string, Handler> {
  const about =
    (work: (approval: ApprovalView) => Promise<unknown>): Handler =>
    async (given) => {
      const listed = approvalViewSchema.safeParse(given).data;
      const id = listed?.id ?? (given instanceof vscode.Uri ? approvalIdOf(given) : activeApprovalId());
      const wanted = id ?? (await pick(deps.view))?.id;
      // In the list it may be shortened, and may stand otherwise by now.
      if (wanted !== undefined) await work(await read(deps, wanted));
    };
  return {
    [COMMANDS.showApproval]: about(showApproval),
    [COMMANDS.showApprovalArguments]: about(showWhole),
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
  else if (choice === show) await showApproval(await read(deps, approval.id));
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

async function pickScope({ subject, tool, lasts }: ApprovalView): Promise<ApprovalScope | undefined> {
  const items: { label: string; scope: ApprovalScope }[] = [
    { label: t('This call'), scope: 'once' },
    ...(lasts === null
      ? []
      : [
          {
            label: lasts === 'run' ? t('Until this run is over') : t('Until this session is over'),
            scope: 'session' as const,
          },
        ]),
    { label: t('15 minutes'), scope: { minutes: 15 } },
    { label: t('1 hour'), scope: { minutes: 60 } },
  ];
  const title = t('Approve {0} of {1}, whatever its arguments, for how long?', tool, subject);
  return (await vscode.window.showQuickPick(items, { title }))?.scope;
}

async function read({ client }: Deps, id: string): Promise<ApprovalView> {
  return approvalViewSchema.parse(await client().json('GET', `/api/v1/approvals/${id}`));
}

async function approve(deps: Deps, approval: ApprovalView, scope: ApprovalScope): Promise<void> {
  await decide(deps, approval, 'approve', { scope });
}

async function deny(deps: Deps, approval: ApprovalView): Promise<void> {
  if (approval.status !== 'pending') {
    tellDecided(approval);
    return;
  }
  const reason = await vscode.window.showInputBox({
    title: t('Deny: {0}', approvalTitle(approval)),
    prompt: t('Why? The caller and its model are told. It may be left empty.'),
    ignoreFocusOut: true,
  });
  if (reason === undefined) return;
  const words = reason.trim();
  await decide(deps, approval, 'deny', words === '' ? {} : { reason: words });
}

/** Says what became of it where somebody else was faster, and the gateway's own words where it is not the user's. */
async function decide(
  deps: Deps,
  { id }: ApprovalView,
  verdict: 'approve' | 'deny',
  body: object,
): Promise<void> {
  try {
    await deps.client().json('POST', `/api/v1/approvals/${id}/${verdict}`, body);
    await closeApproval(id);
    const done = verdict === 'approve' ? t('Approved') : t('Denied');
    vscode.window.setStatusBarMessage(`$(check) ${done}`, BRIEF_MS);
  } catch (error) {
    const now = await read(deps, id).catch(() => undefined);
    if (now === undefined || now.status === 'pending') void vscode.window.showErrorMessage(messageOf(error));
    else tellDecided(now);
  }
  await deps.view.refresh();
}

function tellDecided(approval: ApprovalView): void {
  const state = approvalState(approval, Date.now());
  void vscode.window.showInformationMessage(
    t('{0}: it has been decided already ({1}).', approvalTitle(approval), state),
  );
}
