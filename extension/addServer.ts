import * as vscode from 'vscode';
import { COMMANDS } from './commandIds.ts';
import type { RegistryChanges } from './registryChanges.ts';
import type { SecretVault } from './secretVault.ts';
import {
  hasSecret,
  looksPrivate,
  serverOf,
  suggestName,
  words,
  type Drafted,
  type ServerDraft,
} from './serverDraft.ts';
import { as, choose, enter, required, sequence, type Answer, type Place } from './steps.ts';

const { t } = vscode.l10n;
export const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;

export interface AddServerDeps {
  readonly changes: RegistryChanges;
  readonly vault: SecretVault;
  /** The groups there are, with their servers' names. */
  readonly groups: () => readonly { readonly name: string; readonly servers: readonly string[] }[];
}

const EMPTY: ServerDraft = {
  kind: 'url',
  where: '',
  name: '',
  group: '',
  auth: 'none',
  header: 'X-API-Key',
  credential: '',
  allowPrivateAddress: false,
};

/** Asks for a server, lets it be tested, and registers it. `group` is where it was asked for. */
export async function addServer(deps: AddServerDeps, group?: string): Promise<void> {
  const title = t('Add Server');
  const at = (step: number): Place => ({ title, step });
  const draft = await sequence<ServerDraft>({ ...EMPTY, group: group ?? '' }, [
    (_state, step) => as('kind', askKind(at(step), group)),
    ({ kind }, step) => as('where', askWhere(at(step), kind)),
    ({ kind, where }, step) =>
      kind !== 'command' && looksPrivate(where)
        ? as('allowPrivateAddress', askPrivate(at(step), where))
        : undefined,
    (_state, step) => (group === undefined ? as('group', askGroup(at(step), deps)) : undefined),
    ({ kind, where, group: chosen }, step) =>
      as('name', askName(at(step), deps, chosen, suggestName(kind, where))),
    ({ kind }, step) => (kind === 'command' ? undefined : as('auth', askAuth(at(step)))),
    ({ auth, header }, step) => (auth === 'header' ? as('header', askHeader(at(step), header)) : undefined),
    (state, step) => (hasSecret(state) ? as('credential', askCredential(at(step))) : undefined),
  ]);
  if (draft === undefined) return;
  const drafted = serverOf(draft);
  // Nobody can be signed in to a server that is not registered.
  if (draft.auth !== 'oauth2' && !(await testFirst(deps.changes, drafted))) return;
  await register(deps, draft.group, drafted);
}

/** Registers a server, in a group that is made if need be, and keeps its secrets. */
export async function register(
  { changes, vault, groups }: AddServerDeps,
  group: string,
  drafted: Drafted,
): Promise<void> {
  if (!groups().some(({ name }) => name === group) && !(await changes.addGroup({ name: group }))) return;
  if (!(await changes.addServer(group, drafted.server))) return;
  for (const [name, value] of Object.entries(drafted.secrets)) await vault.set(name, value);
  vscode.window.setStatusBarMessage(`$(check) ${t('{0} is registered', drafted.server.name)}`, 5_000);
}

/** Offers a test until the user goes on. False when they went away instead. */
export async function testFirst(changes: RegistryChanges, { server, secrets }: Drafted): Promise<boolean> {
  let outcome = t('Not tested yet.');
  for (;;) {
    const add = { label: t('Add the server'), value: 'add' as const, iconPath: new vscode.ThemeIcon('add') };
    const test = {
      label: t('Test the connection'),
      detail: outcome,
      value: 'test' as const,
      iconPath: new vscode.ThemeIcon('plug'),
    };
    const picked = await choose({ title: server.name }, t('What next?'), [test, add]);
    if (typeof picked === 'string') return false;
    if (picked.value === 'add') return true;
    outcome = await testWithProgress(changes, { server, secrets });
  }
}

/** Tries a server under a progress notification that can be cancelled; the outcome in words. */
export async function testWithProgress(
  changes: RegistryChanges,
  { server, secrets }: Drafted,
): Promise<string> {
  const tested = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: t('Testing {0}…', server.name),
      cancellable: true,
    },
    async (_progress, token) => {
      const abort = new AbortController();
      token.onCancellationRequested(() => abort.abort());
      try {
        return await changes.test(server, secrets, abort.signal);
      } catch (error) {
        if (abort.signal.aborted) return undefined;
        throw error;
      }
    },
  );
  if (tested === undefined) return t('The test was cancelled.');
  if (!tested.ok) return `$(error) ${[tested.error, tested.stderrTail.at(-1)].filter(Boolean).join(' · ')}`;
  const { serverInfo, tools, resources, prompts, durationMs } = tested;
  const found = t('{0} tools, {1} resources, {2} prompts', tools.length, resources, prompts);
  const names = tools.slice(0, 6).join(', ');
  return `$(pass) ${serverInfo.name} ${serverInfo.version} · ${found} · ${Math.round(durationMs)} ms${names === '' ? '' : ` · ${names}`}`;
}

async function askKind(place: Place, group: string | undefined): Promise<Answer<ServerDraft['kind']>> {
  const picked = await choose<ServerDraft['kind'] | 'known'>(place, t('What kind of server?'), [
    {
      label: t('A known server'),
      description: t('GitHub, Notion, DeepWiki, a file system …'),
      value: 'known',
      iconPath: new vscode.ThemeIcon('library'),
    },
    {
      label: t('At a URL'),
      description: t('Streamable HTTP'),
      value: 'url',
      iconPath: new vscode.ThemeIcon('globe'),
    },
    {
      label: t('A command on this machine'),
      description: t('stdio: npx, uvx, a program'),
      value: 'command',
      iconPath: new vscode.ThemeIcon('terminal'),
    },
    {
      label: t('An HTTP API'),
      description: t('its OpenAPI document becomes tools'),
      value: 'openapi',
      iconPath: new vscode.ThemeIcon('json'),
    },
  ]);
  if (typeof picked === 'string') return picked;
  if (picked.value !== 'known') return { value: picked.value };
  void vscode.commands.executeCommand(COMMANDS.addPreset, group);
  return 'cancelled';
}

function askWhere(place: Place, kind: ServerDraft['kind']): Promise<Answer<string>> {
  if (kind === 'command') {
    return enter(place, {
      prompt: t('The command, as you would type it'),
      placeholder: 'npx -y @modelcontextprotocol/server-memory',
      validate: (text) => (words(text).length === 0 ? t('This is needed.') : undefined),
    });
  }
  return enter(place, {
    prompt: kind === 'url' ? t('The server’s address') : t('The address of the OpenAPI document'),
    placeholder: kind === 'url' ? 'https://mcp.example.com/mcp' : 'https://api.example.com/openapi.json',
    validate: (text) =>
      URL.canParse(text) && /^https?:/.test(text) ? undefined : t('Give an http or https address.'),
  });
}

async function askPrivate(place: Place, where: string): Promise<Answer<boolean>> {
  return choose(place, t('{0} is on this machine or its network.', where), [
    { label: t('Allow this server to be there'), value: true },
    { label: t('Keep private addresses out'), description: t('it will not connect'), value: false },
  ]);
}

export async function askGroup(
  place: Place,
  { groups }: Pick<AddServerDeps, 'groups'>,
  except?: string,
): Promise<Answer<string>> {
  const fresh = { label: t('New group…'), value: '', iconPath: new vscode.ThemeIcon('add') };
  const known = groups()
    .filter(({ name }) => name !== except)
    .map(({ name, servers }) => ({
      label: name,
      description: t('{0} servers', servers.length),
      value: name,
      iconPath: new vscode.ThemeIcon('folder'),
    }));
  const picked = await choose(place, t('In which group?'), [...known, fresh]);
  if (typeof picked === 'string' || picked.value !== '') return picked;
  return enter(place, { prompt: t('Name of the new group'), validate: validName });
}

function askName(
  place: Place,
  { groups }: AddServerDeps,
  group: string,
  value: string,
): Promise<Answer<string>> {
  const taken = groups().find(({ name }) => name === group)?.servers ?? [];
  return enter(place, {
    prompt: t('The server’s name; it is part of its address'),
    value: taken.includes(value) ? '' : value,
    validate: (name) => (taken.includes(name) ? t('“{0}” is in {1} already.', name, group) : validName(name)),
  });
}

export function validName(name: string): string | undefined {
  if (name.length > 40) return t('At most 40 characters.');
  return NAME.test(name) && !name.includes('__')
    ? undefined
    : t('Letters, digits, “.”, “_” and “-” between them.');
}

export function askAuth(place: Place): Promise<Answer<ServerDraft['auth']>> {
  return choose<ServerDraft['auth']>(place, t('What does the server ask for?'), [
    { label: t('Nothing'), value: 'none' },
    { label: t('A bearer token'), description: 'Authorization: Bearer …', value: 'bearer' },
    { label: t('A key in another header'), description: 'X-API-Key: …', value: 'header' },
    { label: t('A sign-in in the browser'), description: 'OAuth', value: 'oauth2' },
  ]);
}

export function askHeader(place: Place, value: string): Promise<Answer<string>> {
  return enter(place, {
    prompt: t('The header’s name'),
    value,
    validate: (text) => (/^[A-Za-z0-9-]+$/.test(text) ? undefined : t('Letters, digits and “-”.')),
  });
}

export function askCredential(place: Place): Promise<Answer<string>> {
  return enter(place, {
    prompt: t('The token or key. It is kept in VS Code’s secret storage; the configuration only names it.'),
    password: true,
    validate: required,
  });
}
