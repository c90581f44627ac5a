import * as vscode from 'vscode';
import { amountText, holderText } from '../gateway/contract/limits.ts';
import { COMMANDS } from './commandIds.ts';
import type { RegistryFeed } from './registryFeed.ts';

const { t } = vscode.l10n;

/** Tells when so much of a budget is spent as its policy wants to be told of. */
export function noticeBudgets(feed: Pick<RegistryFeed, 'onDidAlert'>): vscode.Disposable {
  return feed.onDidAlert(({ policy, holder, percent, unit, used, limit }) => {
    const whose = holderText(holder);
    const of = whose === '' ? policy : t('{0} of {1}', policy, whose);
    const open = t('Open Configuration');
    void vscode.window
      .showWarningMessage(
        t(
          'Toolgate: {0} % of the budget {1} is spent: {2} of {3}.',
          percent,
          of,
          amountText(used, unit),
          limit,
        ),
        open,
      )
      .then((choice) => choice === open && vscode.commands.executeCommand(COMMANDS.openConfiguration));
  });
}
