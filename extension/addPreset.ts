import * as vscode from 'vscode';
import { presetsSchema, type Preset } from '../gateway/contract/presets.ts';
import { askGroup, register, testFirst, type AddServerDeps } from './addServer.ts';
import type { GatewayClient } from './gatewayClient.ts';
import { choose, enter } from './steps.ts';

const { t } = vscode.l10n;

/** Registers a known server: which, where, and its credential if it takes one. */
export async function addPreset(deps: AddServerDeps, client: GatewayClient, group?: string): Promise<void> {
  const title = t('Add Known Server');
  const { presets } = presetsSchema.parse(await client.json('GET', '/api/v1/presets'));
  const preset = await choose({ title }, t('Which server?'), presets.map(toChoice));
  if (typeof preset === 'string') return;
  const { server, credential, note } = preset.value;
  const chosen = group === undefined ? await askGroup({ title }, deps) : { value: group };
  if (typeof chosen === 'string') return;
  const secrets: Record<string, string> = {};
  if (credential !== undefined) {
    const where = credential.where === undefined ? '' : ` ${t('From {0}.', credential.where)}`;
    const value = await enter(
      { title },
      { prompt: `${credential.what}.${where} ${t('May be left empty, and set later.')}`, password: true },
    );
    if (typeof value === 'string') return;
    if (value.value !== '') secrets[credential.secret] = value.value;
  }
  const drafted = { server, secrets };
  if (!(await testFirst(deps.changes, drafted))) return;
  await register(deps, chosen.value, drafted);
  if (note !== undefined) void vscode.window.showInformationMessage(`${preset.value.title}: ${note}`);
}

function toChoice(preset: Preset): vscode.QuickPickItem & { value: Preset } {
  const { server, auth } = preset;
  const command = typeof server['command'] === 'string' ? server['command'] : '';
  const needs = {
    none: '',
    header: t('needs a key'),
    env: t('needs a key'),
    oauth: t('each person signs in'),
  }[auth];
  return {
    label: preset.title,
    description: [preset.description, needs].filter(Boolean).join(' · '),
    iconPath: new vscode.ThemeIcon(command === '' ? 'globe' : 'terminal'),
    value: preset,
  };
}
