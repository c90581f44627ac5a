import * as vscode from 'vscode';
import { exportBundleSchema } from '../gateway/contract/admin.ts';
import { existingFiles, placeFiles, writeFiles } from './exportFiles.ts';
import type { GatewayClient } from './gatewayClient.ts';

const { t } = vscode.l10n;

/**
 * Writes the gateway's configuration, with what is needed to run it elsewhere, to a folder the user chooses; `given`
 * spares the question.
 */
export async function exportConfiguration(client: GatewayClient, given?: vscode.Uri): Promise<void> {
  const folder = given ?? (await askForFolder());
  if (folder === undefined) return;
  const bundle = exportBundleSchema.parse(await client.json('POST', '/api/v1/export', {}));
  const files = placeFiles(folder.fsPath, bundle);
  if (!(await mayOverwrite(existingFiles(files)))) return;
  await writeFiles(files);
  void offerToOpen(folder, files.length, bundle.notes);
}

async function askForFolder(): Promise<vscode.Uri | undefined> {
  const chosen = await vscode.window.showOpenDialog({
    canSelectFolders: true,
    canSelectFiles: false,
    openLabel: t('Export'),
    title: t('Export the gateway to a folder'),
  });
  return chosen?.[0];
}

async function mayOverwrite(existing: readonly string[]): Promise<boolean> {
  if (existing.length === 0) return true;
  const overwrite = t('Overwrite');
  const detail = existing.join('\n');
  const question = t('These files are already in the folder. Overwrite them?');
  return (await vscode.window.showWarningMessage(question, { modal: true, detail }, overwrite)) === overwrite;
}

async function offerToOpen(folder: vscode.Uri, count: number, notes: readonly string[]): Promise<void> {
  const open = t('Open Folder');
  const message = [t('Exported {0} files to {1}.', count, folder.fsPath), ...notes].join(' ');
  if ((await vscode.window.showInformationMessage(message, open)) !== open) return;
  await vscode.commands.executeCommand('vscode.openFolder', folder, { forceNewWindow: true });
}
