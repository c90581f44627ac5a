import * as vscode from 'vscode';
import type { SecretVault } from './secretVault.ts';

const { t } = vscode.l10n;
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;

/** Asks for a secret's name and value, and keeps it. */
export async function setSecret(vault: SecretVault): Promise<void> {
  const name = await askForName(vault);
  if (name === undefined) return;
  const value = await vscode.window.showInputBox({
    title: t('Value of {0}', name),
    prompt: t(
      'Kept in VS Code’s secret storage, and used for {0} in the configuration.',
      `\${secret:${name}}`,
    ),
    password: true,
    ignoreFocusOut: true,
  });
  if (value !== undefined && value !== '') await vault.set(name, value);
}

/** Asks which secret to delete, and deletes it. */
export async function deleteSecret(vault: SecretVault): Promise<void> {
  const names = vault.names();
  if (names.length === 0) {
    void vscode.window.showInformationMessage(t('There are no secrets.'));
    return;
  }
  const name = await vscode.window.showQuickPick(names, {
    title: t('Delete which secret?'),
    ignoreFocusOut: true,
  });
  if (name !== undefined) await vault.delete(name);
}

async function askForName(vault: SecretVault): Promise<string | undefined> {
  const names = vault.names();
  if (names.length === 0) return askForNewName();
  const newSecret = { label: t('New secret…'), iconPath: new vscode.ThemeIcon('add') };
  const items = [newSecret, ...names.map((label) => ({ label, iconPath: new vscode.ThemeIcon('key') }))];
  const picked = await vscode.window.showQuickPick(items, {
    title: t('Set which secret?'),
    ignoreFocusOut: true,
  });
  return picked === newSecret ? askForNewName() : picked?.label;
}

async function askForNewName(): Promise<string | undefined> {
  return vscode.window.showInputBox({
    title: t('Name of the secret'),
    prompt: t('The NAME of {0} in the configuration.', '${secret:NAME}'),
    ignoreFocusOut: true,
    validateInput: (name) =>
      NAME.test(name) ? undefined : t('Letters, digits, “_”, “.” and “-”, at most 64, no digit first.'),
  });
}
