import * as vscode from 'vscode';
import { searchResponseSchema, type SearchHit } from '../gateway/contract/search.ts';
import { addPreset } from './addPreset.ts';
import {
  addServer,
  askAuth,
  askCredential,
  askGroup,
  askHeader,
  validName,
  type AddServerDeps,
} from './addServer.ts';
import { COMMANDS } from './commandIds.ts';
import { importServers } from './importServers.ts';
import type { GatewayClient } from './gatewayClient.ts';
import { RegistryChanges, type ServerAt } from './registryChanges.ts';
import type { RegistryFeed } from './registryFeed.ts';
import { isRegistryNode } from './registryNodes.ts';
import type { SecretVault } from './secretVault.ts';
import { authOf, hasSecret, secretNameOf, words, type ServerDraft } from './serverDraft.ts';
import { as, choose, confirm, enter, required, sequence, type Place } from './steps.ts';
import { describeServerState, firstLine, messageOf } from './words.ts';

const { t } = vscode.l10n;
const SEARCH_DELAY_MS = 150;

export interface RegistryCommandDeps {
  readonly client: () => GatewayClient;
  readonly feed: RegistryFeed;
  readonly vault: SecretVault;
  /** Shows a tool, resource or prompt in the tree. */
  readonly reveal: (hit: SearchHit) => Promise<void>;
}

type Handler = (node: unknown) => Promise<unknown>;

/** The commands that change the registry, and the one that searches it. Each takes the tree's node it was called on. */
export function registryCommands(deps: RegistryCommandDeps): Record<string, Handler> {
  const changes = new RegistryChanges(deps.client);
  const groups: AddServerDeps['groups'] = () =>
    (deps.feed.registry?.groups ?? []).map(({ name, servers }) => ({
      name,
      servers: servers.map((server) => server.name),
    }));
  const adding = { changes, vault: deps.vault, groups };
  const onServer =
    (work: (at: ServerAt) => Promise<unknown>): Handler =>
    async (node) => {
      const at = serverOf(node) ?? (await pickServer(deps.feed));
      if (at !== undefined) await work(at);
    };
  return {
    [COMMANDS.addServer]: (node) => addServer(adding, groupOf(node)),
    [COMMANDS.addGroup]: () => addGroup(changes, groups),
    [COMMANDS.removeGroup]: (node) => removeGroup(changes, groupOf(node)),
    [COMMANDS.editServer]: onServer((at) => editServer(changes, deps.vault, at)),
    [COMMANDS.disableServer]: onServer((at) => changes.editServer(at, { disabled: true })),
    [COMMANDS.enableServer]: onServer((at) => changes.editServer(at, { disabled: null })),
    [COMMANDS.removeServer]: onServer((at) => removeServer(changes, at)),
    [COMMANDS.moveServer]: onServer(async (at) => {
      const group = await askGroup({ title: t('Move {0}', at.name) }, adding, at.group);
      if (typeof group === 'string') return;
      if (!groups().some(({ name }) => name === group.value)) await changes.addGroup({ name: group.value });
      await changes.moveServer(at, group.value);
    }),
    [COMMANDS.promoteServer]: onServer((at) => promoteServer(adding, at)),
    [COMMANDS.disableTool]: (node) => disableTool(changes, node),
    [COMMANDS.addPreset]: (at) => addPreset(adding, deps.client(), typeof at === 'string' ? at : groupOf(at)),
    [COMMANDS.importServers]: () => importServers(adding, deps.client),
    [COMMANDS.findTool]: () => findTool(deps),
  };
}

function serverOf(node: unknown): ServerAt | undefined {
  return isRegistryNode(node) && 'server' in node
    ? { group: node.server.group, name: node.server.name }
    : undefined;
}

function groupOf(node: unknown): string | undefined {
  return isRegistryNode(node) && node.kind === 'group' ? node.group.name : serverOf(node)?.group;
}

/** From the palette there is no node: the server is asked for. */
async function pickServer(feed: RegistryFeed): Promise<ServerAt | undefined> {
  const choices = (feed.registry?.groups ?? []).flatMap((group) =>
    group.servers.map((server) => ({
      label: server.name,
      description: `${group.name} · ${describeServerState(server)}`,
      value: { group: group.name, name: server.name },
    })),
  );
  const picked = await choose({ title: t('Which server?') }, t('Choose a server'), choices);
  return typeof picked === 'string' ? undefined : picked.value;
}

async function addGroup(changes: RegistryChanges, groups: AddServerDeps['groups']): Promise<void> {
  const title = t('Add Group');
  const group = await sequence({ name: '', environment: '' }, [
    (_state, step) =>
      as(
        'name',
        enter(
          { title, step, totalSteps: 2 },
          {
            prompt: t('The group’s name, such as dev-mcps; it is part of its servers’ addresses'),
            validate: (name) =>
              groups().some((one) => one.name === name)
                ? t('There is a group “{0}” already.', name)
                : validName(name),
          },
        ),
      ),
    (_state, step) =>
      as(
        'environment',
        enter(
          { title, step, totalSteps: 2 },
          { prompt: t('Its environment, such as dev or prod. May be left empty.') },
        ),
      ),
  ]);
  if (group === undefined) return;
  const { name, environment } = group;
  await changes.addGroup({ name, ...(environment !== '' && { environment }) });
}

async function removeGroup(changes: RegistryChanges, name: string | undefined): Promise<void> {
  if (name === undefined) return;
  const question = t('Remove the group “{0}” with all its servers?', name);
  const detail = t('It is taken out of the configuration. The configuration before is kept as a backup.');
  if (await confirm(question, t('Remove'), detail)) await changes.removeGroup(name);
}

async function removeServer(changes: RegistryChanges, at: ServerAt): Promise<void> {
  const detail = t('Its tools disappear for everybody. The configuration before is kept as a backup.');
  if (await confirm(t('Remove the server “{0}”?', at.name), t('Remove'), detail))
    await changes.removeServer(at);
}

async function editServer(changes: RegistryChanges, vault: SecretVault, at: ServerAt): Promise<void> {
  const title = t('Edit {0}', at.name);
  const place: Place = { title };
  const picked = await choose(place, t('What shall change?'), [
    { label: t('Description'), value: 'description' as const },
    { label: t('Address'), description: t('of a server at a URL'), value: 'url' as const },
    { label: t('Command'), description: t('of a server on this machine'), value: 'command' as const },
    { label: t('Credential'), value: 'auth' as const },
    { label: t('Everything else, in the configuration'), value: 'file' as const },
  ]);
  if (typeof picked === 'string') return;
  switch (picked.value) {
    case 'file':
      await vscode.commands.executeCommand(COMMANDS.openConfiguration);
      return;
    case 'auth':
      await editCredential(changes, vault, at, title);
      return;
    case 'command': {
      const line = await enter(place, {
        prompt: t('The command, as you would type it'),
        validate: required,
      });
      if (typeof line === 'string') return;
      const [command, ...args] = words(line.value);
      await changes.editServer(at, { command, args });
      return;
    }
    default: {
      const text = await enter(place, {
        prompt: picked.value === 'url' ? t('The server’s address') : t('Description'),
      });
      if (typeof text !== 'string') await changes.editServer(at, { [picked.value]: text.value || null });
    }
  }
}

async function editCredential(
  changes: RegistryChanges,
  vault: SecretVault,
  at: ServerAt,
  title: string,
): Promise<void> {
  const credential = await askForCredential(title);
  if (credential === undefined) return;
  const auth = credential.auth === 'none' ? null : authOf({ ...credential, ...at });
  if ((await changes.editServer(at, { auth })) && hasSecret(credential))
    await vault.set(secretNameOf(at), credential.credential);
}

type Credential = Pick<ServerDraft, 'auth' | 'header' | 'credential'>;

function askForCredential(title: string): Promise<Credential | undefined> {
  return sequence<Credential>({ auth: 'none', header: 'X-API-Key', credential: '' }, [
    (_state, step) => as('auth', askAuth({ title, step })),
    ({ auth, header }, step) =>
      auth === 'header' ? as('header', askHeader({ title, step }, header)) : undefined,
    (state, step) => (hasSecret(state) ? as('credential', askCredential({ title, step })) : undefined),
  ]);
}

/** Copies a server to another group: what it is, and not the credential of where it was. */
async function promoteServer({ changes, vault, groups }: AddServerDeps, at: ServerAt): Promise<void> {
  const title = t('Promote {0}', at.name);
  const group = await askGroup({ title }, { groups }, at.group);
  if (typeof group === 'string') return;
  const credential = await askForCredential(t('{0}: the credential it uses there', title));
  if (credential === undefined) return;
  const to = { group: group.value, name: at.name };
  if (!groups().some(({ name }) => name === to.group)) await changes.addGroup({ name: to.group });
  const auth = credential.auth === 'none' ? {} : { auth: authOf({ ...credential, ...to }) };
  if (!(await changes.promoteServer(at, to.group, auth)) || !hasSecret(credential)) return;
  await vault.set(secretNameOf(to), credential.credential);
}

async function disableTool(changes: RegistryChanges, node: unknown): Promise<void> {
  if (!isRegistryNode(node) || node.kind !== 'tool') return;
  const at = { group: node.server.group, name: node.server.name };
  const { name } = node.tool;
  if (!(await changes.setToolDenied(at, name, true))) return;
  const undo = t('Undo');
  const message = t('{0} of {1} is disabled: nobody sees or calls it.', name, at.name);
  void vscode.window.showInformationMessage(message, undo).then(async (picked) => {
    if (picked === undo) await changes.setToolDenied(at, name, false);
  });
}

interface FoundItem extends vscode.QuickPickItem {
  readonly hit: SearchHit;
}

/** Searches what the gateway offers while the user types, and shows what they choose in the tree. */
function findTool({ client, reveal }: RegistryCommandDeps): Promise<void> {
  const gateway = client();
  const picker = vscode.window.createQuickPick<FoundItem>();
  picker.title = t('Find Tool');
  picker.placeholder = t('What it should do, in a few words');
  picker.ignoreFocusOut = true;
  let timer: NodeJS.Timeout | undefined;
  let newest = 0;
  const search = async (query: string): Promise<void> => {
    const mine = ++newest;
    picker.busy = true;
    try {
      const { hits } = searchResponseSchema.parse(
        await gateway.json(
          'GET',
          `/api/v1/search?${new URLSearchParams({ q: query, limit: '50' }).toString()}`,
        ),
      );
      if (mine !== newest) return;
      picker.items = hits.map(toItem);
      picker.placeholder = hits.length === 0 ? t('Nothing fits') : t('What it should do, in a few words');
    } catch (error) {
      if (mine === newest) picker.title = messageOf(error);
    } finally {
      if (mine === newest) picker.busy = false;
    }
  };
  picker.onDidChangeValue((value) => {
    clearTimeout(timer);
    if (value.trim() === '') picker.items = [];
    else timer = setTimeout(() => void search(value), SEARCH_DELAY_MS);
  });
  return new Promise((resolve) => {
    picker.onDidAccept(() => {
      const [item] = picker.selectedItems;
      picker.hide();
      if (item !== undefined) void reveal(item.hit);
    });
    picker.onDidHide(() => {
      clearTimeout(timer);
      newest++;
      picker.dispose();
      resolve();
    });
    picker.show();
  });
}

const ICONS = { tool: 'symbol-method', resource: 'file', prompt: 'comment' } as const;

function toItem(hit: SearchHit): FoundItem {
  return {
    label: hit.name,
    description: hit.server.split(':').slice(1).join(' · '),
    detail: firstLine(hit.description ?? hit.title ?? hit.uri ?? ''),
    iconPath: new vscode.ThemeIcon(ICONS[hit.kind]),
    // The gateway has ranked them; the picker's own filter would hide what fits by other words.
    alwaysShow: true,
    hit,
  };
}
