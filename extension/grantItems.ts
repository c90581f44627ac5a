import * as vscode from 'vscode';
import { grantScope, grantText, grantTitle, grantUses } from '../gateway/contract/approval-text.ts';
import type { ApprovalGrant } from '../gateway/contract/approvals.ts';

const { t } = vscode.l10n;

/** The node that the standing approvals are under. */
export interface GrantsNode {
  readonly grants: readonly ApprovalGrant[];
}

export function grantsItem({ grants }: GrantsNode): vscode.TreeItem {
  const item = new vscode.TreeItem(t('Standing approvals'), vscode.TreeItemCollapsibleState.Expanded);
  item.id = 'grants';
  item.description = String(grants.length);
  item.tooltip = t('Calls of these tools pass without being asked about, whatever their arguments.');
  item.contextValue = 'grants';
  item.accessibilityInformation = { label: t('Standing approvals, {0}', grants.length) };
  return item;
}

export function grantItem(grant: ApprovalGrant): vscode.TreeItem {
  const now = Date.now();
  const item = new vscode.TreeItem(`${grant.tool} · ${grant.server.split(':').at(-1)}`);
  item.id = grant.id;
  item.description = [grantScope(grant, now), grantUses(grant), grant.subject].join(' · ');
  item.tooltip = grantText(grant, now);
  item.contextValue = 'grant';
  item.iconPath = new vscode.ThemeIcon('unlock');
  const facts = [grantTitle(grant), grantScope(grant, now), grantUses(grant)];
  item.accessibilityInformation = { label: t('Standing approval: {0}', facts.join(', ')) };
  return item;
}
