import { readFile } from 'node:fs/promises';
import * as vscode from 'vscode';
import { explanationSchema, type ExplainRequest, type Explanation } from '../gateway/contract/access.ts';
import type { GatewayClient } from './gatewayClient.ts';
import { isRegistryNode } from './registryNodes.ts';
import { placeOfRule } from './rulePlace.ts';
import { enter } from './steps.ts';

const { t } = vscode.l10n;
const SUBJECT = /^(?:user|serviceaccount):[^\s:]+$/;

/** Asks why somebody may, or may not, use a server or a tool of the tree, and shows each check that was made. */
export async function explainAccess(
  client: GatewayClient,
  configFile: () => Promise<string>,
  node: unknown,
): Promise<void> {
  const asked = await questionOf(node);
  if (asked === undefined) return;
  const answer = explanationSchema.parse(await client.json('POST', '/api/v1/access/explain', asked));
  const rule = await showSteps(answer);
  if (rule !== undefined) await openRule(await configFile(), rule);
}

async function questionOf(node: unknown): Promise<ExplainRequest | undefined> {
  if (!isRegistryNode(node) || (node.kind !== 'server' && node.kind !== 'tool'))
    throw new Error(t('Choose a server or a tool in the registry, and ask there.'));
  const server = `${node.server.group}:${node.server.name}`;
  const tool = node.kind === 'tool' ? node.tool.name : undefined;
  const title = t('Why? {0}', tool ?? server);
  const subject = await enter(
    { title },
    {
      prompt: t('Whom do you ask about? Empty: you'),
      placeholder: 'user:ann@example.com',
      validate: (text) =>
        text === '' || SUBJECT.test(text) ? undefined : t('Write user:ID or serviceaccount:NAME.'),
    },
  );
  if (typeof subject === 'string') return undefined;
  const who = subject.value === '' ? {} : { subject: subject.value };
  if (tool === undefined) return { server, ...who };
  const given = await enter(
    { title },
    {
      prompt: t('With which arguments? Empty: any'),
      placeholder: '{ "database": "hr" }',
      validate: (text) => (text === '' || isObject(text) ? undefined : t('Write one JSON object.')),
    },
  );
  if (typeof given === 'string') return undefined;
  const args = given.value === '' ? {} : { arguments: JSON.parse(given.value) as Record<string, unknown> };
  return { server, tool, ...who, ...args };
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** The checks, in their order; the rule of the one that is chosen, to be opened. */
async function showSteps({ effect, principal, target, steps }: Explanation): Promise<string | undefined> {
  const words =
    effect === 'allow'
      ? t('{0} may use {1}', principal.subject, target)
      : t('{0} may not use {1}', principal.subject, target);
  const items = steps.map((step) => ({
    label: step.reason,
    description: step.rule,
    detail: step.check,
    iconPath: new vscode.ThemeIcon(step.effect === 'allow' ? 'pass' : 'circle-slash'),
    rule: step.rule,
  }));
  const placeHolder = t('Each check, in its order; choose one to open its rule');
  const picked = await vscode.window.showQuickPick(items, {
    title: words,
    placeHolder,
    ignoreFocusOut: true,
  });
  return picked?.rule;
}

/** Shows the rule's place in the configuration; a rule that is built in has none. */
async function openRule(file: string, rule: string): Promise<void> {
  const place = placeOfRule(await readFile(file, 'utf8'), rule);
  if (place === undefined) {
    void vscode.window.showInformationMessage(
      t('“{0}” is no line of the configuration: it always holds.', rule),
    );
    return;
  }
  const editor = await vscode.window.showTextDocument(vscode.Uri.file(file));
  const range = new vscode.Range(
    editor.document.positionAt(place.start),
    editor.document.positionAt(place.end),
  );
  editor.selection = new vscode.Selection(range.start, range.start);
  editor.revealRange(range, vscode.TextEditorRevealType.InCenter);
}
