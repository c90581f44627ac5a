import * as vscode from 'vscode';
import type { TokenView } from '../gateway/contract/tokens.ts';

const { t } = vscode.l10n;
const DAY_MS = 86_400_000;

/** A token in one line: whose it is, and for how long it holds. */
export function describeToken({ subject, administrator, expired, expiresAt }: TokenView, now: Date): string {
  const role = administrator ? [t('administrator')] : [];
  return [subject, ...role, expired ? t('expired') : endsIn(expiresAt, now)].join(' · ');
}

function endsIn(expiresAt: string | null, now: Date): string {
  if (expiresAt === null) return t('never expires');
  const days = Math.ceil((Date.parse(expiresAt) - now.getTime()) / DAY_MS);
  return days === 1 ? t('expires within a day') : t('expires in {0} days', days);
}

/** All that is known of a token. */
export function tokenDetails(token: TokenView): string {
  const { kind, scope, createdAt, expiresAt, previousUntil, lastUsedAt } = token;
  const narrowed = Object.entries(scope).flatMap(([what, names]) =>
    names === null ? [] : [t('Only {0}: {1}', what, names.join(', '))],
  );
  return [
    kind === 'vat' ? t('A service account’s token (VAT)') : t('A person’s token (PAT)'),
    ...(narrowed.length === 0 ? [t('Whatever its subject may')] : narrowed),
    t('Made {0}', moment(createdAt)),
    lastUsedAt === null ? t('Never used') : t('Last used {0}', moment(lastUsedAt)),
    ...(expiresAt === null ? [] : [t('Expires {0}', moment(expiresAt))]),
    ...(previousUntil === null
      ? []
      : [t('The value before its rotation holds until {0}', moment(previousUntil))]),
  ].join('\n');
}

function moment(iso: string): string {
  return new Date(iso).toLocaleString();
}
