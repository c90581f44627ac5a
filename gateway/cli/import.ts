import { existsSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import { editConfig, type Edit } from '../config/edit.ts';
import { parseConfig } from '../config/load.ts';
import { CLIENTS, type ClientId, type Proposal } from '../contract/import.ts';
import { configViewSchema } from '../contract/config.ts';
import { EXIT } from '../contract/ipc.ts';
import { secretVariable } from '../export/bundle.ts';
import { clientFiles, type ClientFile } from '../registry/import/places.ts';
import { readProposal, secretsIn } from '../registry/import/proposal.ts';
import { submit, type ChangeOptions } from './change.ts';
import { CliError } from './cli-error.ts';
import { ask } from './client.ts';
import { printJson, table } from './print.ts';

export interface ImportOptions extends ChangeOptions {
  readonly from?: string;
  readonly group?: string;
  readonly allowPrivateAddress?: boolean;
}

const LARGEST_FILE = 4 * 1024 * 1024;

/** `toolgate import`: takes the servers of another client's file over; without `--from`, shows what there is. */
export async function importServers(options: ImportOptions): Promise<void> {
  const files = filesOf(options.from);
  if (options.from === undefined) {
    showFiles(files, options.json === true);
    return;
  }
  if (options.group === undefined)
    throw new CliError('name the group to add them to with --group', EXIT.usage);
  if (files.length === 0) {
    throw new CliError(
      `there is no file of ${options.from} on this machine; name a file, or one of ${CLIENTS.join(', ')}`,
      EXIT.usage,
    );
  }
  const { text, revision } = configViewSchema.parse(await ask(options, '/api/v1/config'));
  const { edited, proposals } = propose(files, text, options.group, options);
  // With --json, standard output is the change's alone.
  const out = options.json === true ? process.stderr : process.stdout;
  for (const { file, proposal } of proposals) out.write(describe(file, proposal));
  if (edited === text) throw new CliError('there is nothing to import');
  await submit({ method: 'PUT', path: '/api/v1/config', body: { text: edited, revision } }, options);
}

/** The files of a client that exist, a file by its path, or all that exist. */
function filesOf(from: string | undefined): readonly ClientFile[] {
  const known = clientFiles({
    platform: process.platform,
    home: homedir(),
    env: process.env,
    folder: process.cwd(),
  }).filter(({ file }) => existsSync(file));
  if (from === undefined) return known;
  if ((CLIENTS as readonly string[]).includes(from)) return known.filter(({ client }) => client === from);
  const file = resolve(from);
  if (!existsSync(file))
    throw new CliError(`${file} does not exist, and is none of ${CLIENTS.join(', ')}`, EXIT.usage);
  return [
    known.find((one) => one.file === file) ?? { client: clientOf(file), file, workspace: isWorkspace(file) },
  ];
}

/** Whose a file is that lies elsewhere, where its name tells; it only settles how odd entries are read. */
function clientOf(file: string): ClientId {
  return basename(file) === 'cline_mcp_settings.json' ? 'cline' : 'vscode';
}

function isWorkspace(file: string): boolean {
  return basename(file) === '.mcp.json' || ['.vscode', '.cursor'].includes(basename(dirname(file)));
}

function propose(
  files: readonly ClientFile[],
  text: string,
  group: string,
  options: ImportOptions,
): { readonly edited: string; readonly proposals: readonly { file: string; proposal: Proposal }[] } {
  const parsed = parseConfig(text);
  const groups = parsed.ok ? parsed.config.groups : [];
  const known = groups.find(({ name }) => name === group);
  const taken = known?.servers.map(({ name }) => name) ?? [];
  const edits: Edit[] = [];
  const proposals = files.map(({ client, file, workspace }) => {
    const root = basename(file) === '.mcp.json' ? dirname(file) : dirname(dirname(file));
    const proposal = readProposal(contentOf(file), {
      client,
      home: homedir(),
      taken,
      secretsInUse: secretsIn(edits.reduce(editConfig, text)),
      gateway: options.gateway,
      allowPrivateAddress: options.allowPrivateAddress,
      ...(workspace && { folder: root }),
    });
    taken.push(...proposal.servers.map(({ name }) => name));
    if (edits.length === 0 && known === undefined && proposal.servers.length > 0)
      edits.push({ kind: 'add-group', group: { name: group } });
    edits.push(...proposal.servers.map(({ server }): Edit => ({ kind: 'add-server', group, server })));
    return { file, proposal };
  });
  return { edited: edits.reduce(editConfig, text), proposals };
}

function contentOf(file: string): string {
  try {
    if (statSync(file).size > LARGEST_FILE) throw new Error('it is larger than 4 MiB');
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

function showFiles(files: readonly ClientFile[], json: boolean): void {
  const rows = files.map(({ client, file }) => {
    const { servers, problems } = readProposal(contentOf(file), { folder: dirname(file), home: homedir() });
    return { client, file, servers: servers.map(({ entry }) => entry), problems: problems.length };
  });
  if (json) printJson(rows);
  else if (rows.length === 0) process.stdout.write("No client's list of MCP servers was found.\n");
  else
    process.stdout.write(
      `${table(
        ['client', 'servers', 'problems', 'file'],
        rows.map((row) => [row.client, String(row.servers.length), String(row.problems), row.file]),
      )}\nTake them over with toolgate import --from CLIENT --group GROUP; --dry-run changes nothing.\n`,
    );
}

function describe(file: string, { servers, problems, secrets, inputs }: Proposal): string {
  const lines = [`${file}:`];
  for (const { entry, name, server, notes } of servers) {
    const { url, command, args } = server as { url?: string; command?: string; args?: string[] };
    const what = url ?? [command, ...(args ?? [])].join(' ');
    lines.push(`  ${entry} → ${name}: ${what}`, ...notes.map((note) => `    note: ${note}`));
  }
  for (const { entry, line, message } of problems) {
    const where = [...(entry === undefined ? [] : [entry]), ...(line === undefined ? [] : [`line ${line}`])];
    lines.push(`  not imported: ${[...where, message].join(': ')}`);
  }
  for (const { name, usedBy } of secrets)
    lines.push(
      `  secret: ${usedBy.join(', ')} has a credential written out there; here it is \${secret:${name}}: set ${secretVariable(name)} where the gateway runs`,
    );
  for (const { id, secret, description, usedBy } of inputs) {
    const about = description === undefined ? '' : ` (${description})`;
    lines.push(
      `  input: ${usedBy.join(', ')} asks for "${id}"${about}; here it is \${secret:${secret}}: set ${secretVariable(secret)} where the gateway runs`,
    );
  }
  return `${lines.join('\n')}\n`;
}
