import * as vscode from 'vscode';
import { COMMANDS } from './commandIds.ts';
import { accessIn, granteesIn } from './accessText.ts';
import type { RegistryChanges } from './registryChanges.ts';
import { isRegistryNode, type RegistryNode } from './registryNodes.ts';
import { choose, enter, required } from './steps.ts';

const { t } = vscode.l10n;

type Handler = (node: unknown) => Promise<unknown>;

/** The commands that change who may use what. They write the configuration, whose comments stay. */
export function accessCommands(changes: RegistryChanges): Record<string, Handler> {
  return {
    [COMMANDS.editAccess]: async (node) => {
      if (!isRegistryNode(node)) throw new Error(t('Choose a group, a server or a tool in the registry.'));
      if (node.kind === 'group') await editGroup(changes, node.group.name);
      else if (node.kind === 'tool') await editTool(changes, node);
      else if (node.kind === 'server') await editServer(changes, node);
    },
  };
}

async function editGroup(changes: RegistryChanges, group: string): Promise<void> {
  const title = t('Access of {0}', group);
  const which = await choose<'use' | 'manage'>({ title }, t('What do you want to change?'), [
    { label: t('Who may use it'), detail: t('See and call its servers.'), value: 'use' },
    { label: t('Who may manage it'), detail: t('Change its servers too, within limits.'), value: 'manage' },
  ]);
  if (typeof which === 'string') return;
  const { text } = await changes.configuration();
  const access = accessIn(text, group);
  const known = granteesIn(text).filter((name) => which.value === 'use' || name !== 'everyone');
  const picked = await pickGrantees(title, known, access[which.value]);
  if (picked !== undefined) await changes.editGroup(group, { access: { ...access, [which.value]: picked } });
}

async function editServer(
  changes: RegistryChanges,
  { server }: Extract<RegistryNode, { kind: 'server' }>,
): Promise<void> {
  const at = { group: server.group, name: server.name };
  const title = t('Access of {0}', server.name);
  const how = await choose<'group' | 'narrow'>({ title }, t('Who may use it?'), [
    { label: t('Whoever may use its group'), value: 'group' },
    { label: t('Only some of them…'), value: 'narrow' },
  ]);
  if (typeof how === 'string') return;
  if (how.value === 'group') {
    await changes.editServer(at, { access: null });
    return;
  }
  const { text } = await changes.configuration();
  const picked = await pickGrantees(title, granteesIn(text), accessIn(text, at.group, at.name).use);
  if (picked !== undefined) await changes.editServer(at, { access: { use: picked } });
}

async function editTool(
  changes: RegistryChanges,
  { server, tool }: Extract<RegistryNode, { kind: 'tool' }>,
): Promise<void> {
  const at = { group: server.group, name: server.name };
  const title = t('Access of {0}', tool.name);
  const how = await choose<'allow' | 'deny' | 'when' | 'none'>({ title }, t('What holds for this tool?'), [
    { label: t('Allowed'), value: 'allow' },
    {
      label: t('Allowed when…'),
      detail: t('Under a condition over arguments, principal, model or time (CEL).'),
      value: 'when',
    },
    { label: t('Denied'), detail: t('Nobody sees or calls it.'), value: 'deny' },
    { label: t('Nothing of its own'), detail: t('What the other rules of its server say.'), value: 'none' },
  ]);
  if (typeof how === 'string') return;
  if (how.value === 'none') await changes.ruleTool(at, tool.name, null);
  else if (how.value !== 'when') await changes.ruleTool(at, tool.name, { effect: how.value });
  else {
    const prompt = t('The condition; the gateway checks it before it is written');
    const placeholder = 'args.database != "hr" || "hr" in principal.teams';
    const when = await enter({ title }, { prompt, placeholder, validate: required });
    if (typeof when !== 'string')
      await changes.ruleTool(at, tool.name, { effect: 'allow', when: when.value });
  }
}

/** Undefined when the user went away. */
async function pickGrantees(
  title: string,
  known: readonly string[],
  now: readonly string[],
): Promise<string[] | undefined> {
  const others = { label: t('Somebody else…'), iconPath: new vscode.ThemeIcon('add') };
  const items = [...new Set([...now, ...known])].map((label) => ({ label, picked: now.includes(label) }));
  const picked = await vscode.window.showQuickPick([...items, others], {
    title,
    canPickMany: true,
    placeHolder: t('Tick who may; nobody ticked: administrators alone'),
    ignoreFocusOut: true,
  });
  if (picked === undefined) return undefined;
  const names = picked.filter((item) => item !== others).map(({ label }) => label);
  if (!picked.includes(others)) return names;
  const more = await enter(
    { title },
    {
      prompt: t('Whom? Several with commas between them'),
      placeholder: 'user:ann@example.com, team:finance, serviceaccount:bot',
      validate: required,
    },
  );
  if (typeof more === 'string') return undefined;
  return [
    ...new Set([
      ...names,
      ...more.value
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean),
    ]),
  ];
}
