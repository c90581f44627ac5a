import path from 'node:path';
import * as vscode from 'vscode';
import {
  importFilesSchema,
  proposalSchema,
  type ClientId,
  type Proposal,
} from '../gateway/contract/import.ts';
import { askGroup, type AddServerDeps } from './addServer.ts';
import type { GatewayClient } from './gatewayClient.ts';
import { enter } from './steps.ts';

const { t } = vscode.l10n;

const NAMES: Readonly<Record<ClientId, string>> = {
  vscode: 'VS Code',
  'claude-desktop': 'Claude Desktop',
  'claude-code': 'Claude Code',
  cursor: 'Cursor',
  windsurf: 'Windsurf',
  'copilot-cli': 'GitHub Copilot CLI',
  cline: 'Cline',
};

interface FileItem extends vscode.QuickPickItem {
  readonly uri?: vscode.Uri;
  readonly client?: ClientId;
}

/**
 * Takes servers over from another client's list: the file, the group, the servers. Credentials that are written out
 * there go to the secret storage; the configuration only names them.
 */
export async function importServers(deps: AddServerDeps, client: () => GatewayClient): Promise<void> {
  const file = await pickFile(client());
  if (file?.uri === undefined) return;
  const group = await askGroup({ title: t('Import Servers') }, deps);
  if (typeof group === 'string') return;
  const text = Buffer.from(await vscode.workspace.fs.readFile(file.uri)).toString('utf8');
  const proposal = proposalSchema.parse(
    await client().json('POST', '/api/v1/import', {
      text,
      group: group.value,
      folder: vscode.workspace.getWorkspaceFolder(file.uri)?.uri.fsPath,
      client: file.client,
      // Each server is shown before it is added; one on this machine is meant to be there.
      allowPrivateAddress: true,
    }),
  );
  tellProblems(proposal);
  const chosen = await pickServers(proposal);
  if (chosen === undefined || chosen.length === 0) return;
  const secrets = await secretsFor(proposal, chosen);
  if (secrets === undefined) return;
  if (!deps.groups().some(({ name }) => name === group.value))
    await deps.changes.addGroup({ name: group.value });
  let added = 0;
  for (const { server } of chosen) if (await deps.changes.addServer(group.value, server)) added++;
  // Last, since each new secret starts the gateway anew.
  for (const [name, value] of secrets) await deps.vault.set(name, value);
  void vscode.window.showInformationMessage(t('{0} of {1} servers were imported.', added, chosen.length));
}

async function pickFile(client: GatewayClient): Promise<FileItem | undefined> {
  const query = new URLSearchParams();
  for (const { uri } of vscode.workspace.workspaceFolders ?? []) query.append('folder', uri.fsPath);
  const { files } = importFilesSchema.parse(
    await client.json('GET', `/api/v1/import/files?${query.toString()}`),
  );
  const other: FileItem = { label: t('Another file…'), iconPath: new vscode.ThemeIcon('folder-opened') };
  const items = files.map((found): FileItem => ({
    label: NAMES[found.client],
    description: found.workspace ? t('this workspace') : '',
    detail: found.file,
    iconPath: new vscode.ThemeIcon('json'),
    uri: vscode.Uri.file(found.file),
    client: found.client,
  }));
  const picked = await vscode.window.showQuickPick([...items, other], {
    title: t('Import Servers'),
    placeHolder: t('Whose servers?'),
    matchOnDescription: true,
    matchOnDetail: true,
    ignoreFocusOut: true,
  });
  if (picked !== other) return picked;
  const [uri] =
    (await vscode.window.showOpenDialog({
      filters: { JSON: ['json', 'jsonc'] },
      title: t('Import Servers'),
    })) ?? [];
  return uri && { label: path.basename(uri.fsPath), uri };
}

type Proposed = Proposal['servers'][number];

async function pickServers({ servers }: Proposal): Promise<readonly Proposed[] | undefined> {
  if (servers.length === 0) {
    void vscode.window.showWarningMessage(t('There is no server to import in this file.'));
    return undefined;
  }
  const items = servers.map((proposed) => ({
    label: proposed.name,
    description: whereOf(proposed),
    detail: proposed.notes.join(' · '),
    picked: true,
    proposed,
  }));
  const picked = await vscode.window.showQuickPick(items, {
    title: t('Import Servers'),
    placeHolder: t('Which servers?'),
    canPickMany: true,
    ignoreFocusOut: true,
  });
  return picked?.map(({ proposed }) => proposed);
}

function whereOf({ server }: Proposed): string {
  const { url, command, args } = server;
  return typeof url === 'string'
    ? url
    : [command, ...(Array.isArray(args) ? (args as unknown[]) : [])].map(String).join(' ');
}

/** The secrets that the chosen servers name; what their client would ask for is asked for. */
async function secretsFor(
  { secrets, inputs }: Proposal,
  chosen: readonly Proposed[],
): Promise<ReadonlyMap<string, string> | undefined> {
  const used = ({ usedBy }: { readonly usedBy: readonly string[] }): boolean =>
    chosen.some(({ entry, name }) => usedBy.includes(entry) || usedBy.includes(name));
  const values = new Map(secrets.filter(used).map(({ name, value }) => [name, value]));
  for (const input of inputs.filter(used)) {
    const prompt = input.description ?? t('The value of {0}', input.id);
    const value = await enter(
      { title: t('Import Servers') },
      { prompt, password: input.password, ...(input.default !== undefined && { value: input.default }) },
    );
    if (typeof value === 'string') return undefined;
    if (value.value !== '') values.set(input.secret, value.value);
  }
  return values;
}

function tellProblems({ problems }: Proposal): void {
  if (problems.length === 0) return;
  const words = problems.map(({ entry, message }) =>
    entry === undefined ? message : `${entry}: ${message}`,
  );
  void vscode.window.showWarningMessage(t('Not everything could be read: {0}', words.join('; ')));
}
