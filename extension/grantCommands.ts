import * as vscode from 'vscode';
import { grantScope, grantTitle, grantUses } from '../gateway/contract/approval-text.ts';
import { approvalGrantSchema, type ApprovalGrant } from '../gateway/contract/approvals.ts';
import type { ApprovalsView } from './approvalsView.ts';
import { COMMANDS } from './commandIds.ts';
import { GatewayRequestError, type GatewayClient } from './gatewayClient.ts';
import { confirm } from './steps.ts';

const { t } = vscode.l10n;

interface Deps {
  readonly client: () => GatewayClient;
  readonly view: Pick<ApprovalsView, 'grants' | 'refresh'>;
}

/** The command that takes a standing approval back: one of the list, or one that is asked for. */
export function grantCommands(deps: Deps): Record<string, (grant: unknown) => Promise<unknown>> {
  return {
    [COMMANDS.revokeGrant]: async (given) => {
      const grant = approvalGrantSchema.safeParse(given).data ?? (await pick(deps.view));
      if (grant !== undefined) await revoke(deps, grant);
    },
  };
}

async function pick({ grants }: Deps['view']): Promise<ApprovalGrant | undefined> {
  if (grants.length === 0) {
    void vscode.window.showInformationMessage(t('There are no standing approvals.'));
    return undefined;
  }
  const items = grants.map((grant) => ({
    label: grantTitle(grant),
    detail: `${grantScope(grant, Date.now())} · ${grantUses(grant)}`,
    grant,
  }));
  return (await vscode.window.showQuickPick(items, { title: t('Which standing approval?') }))?.grant;
}

async function revoke({ client, view }: Deps, grant: ApprovalGrant): Promise<void> {
  const { id, tool, subject } = grant;
  const question = t('Revoke the standing approval of {0} for {1}?', tool, subject);
  const detail = t('Its calls have to be approved again, each by itself. Calls under way go on.');
  if (!(await confirm(question, t('Revoke'), detail))) return;
  try {
    await client().json('DELETE', `/api/v1/approval-grants/${id}`);
  } catch (error) {
    if (!(error instanceof GatewayRequestError) || error.status !== 404) throw error;
    const gone = t(
      '{0}: it does not stand any more. It ended, or somebody else revoked it.',
      grantTitle(grant),
    );
    void vscode.window.showInformationMessage(gone);
  }
  await view.refresh();
}
