import net from 'node:net';
import * as vscode from 'vscode';
import { COMMANDS } from './commandIds.ts';
import type { GatewayController } from './gatewayController.ts';
import type { GatewayStatus } from './gatewaySupervisor.ts';
import { readSettings, useAnyFreePort } from './settings.ts';
import { describeFailure } from './words.ts';

const { t } = vscode.l10n;
const PROBE_TIMEOUT_MS = 1_000;
/** A window that is reloaded meets its own last gateway for a moment: only a port that stays taken is told of. */
const TELL_FROM_RETRY_MS = 4_000;

/**
 * Tells the user of a failure that only they can cure: a configuration that is wrong, or a port that is taken. Each
 * is told once; all other failures are left to the tree, the status bar and the next start.
 */
export function noticeFailures(controller: GatewayController): vscode.Disposable {
  let told: string | undefined;
  return controller.onDidChangeStatus((status) => {
    if (status.status === 'running') told = undefined;
    if (status.status !== 'failed' || status.failure.kind !== 'reported') return;
    if (status.retryInMs !== undefined && status.retryInMs < TELL_FROM_RETRY_MS) return;
    const words = describeFailure(status.failure);
    if (words === told) return;
    told = words;
    void notice(status, words);
  });
}

async function notice(status: Extract<GatewayStatus, { status: 'failed' }>, words: string): Promise<void> {
  const { port } = readSettings();
  if (port !== 0 && (await isListening(port))) {
    const freePort = t('Use a Free Port');
    const message = t('Toolgate: {0} Port {1} is set by {2}.', words, port, '`toolgate.port`');
    if ((await vscode.window.showErrorMessage(message, freePort)) === freePort) await useAnyFreePort();
    return;
  }
  if (status.retryInMs !== undefined) return;
  const open = t('Open Configuration');
  const log = t('Show Log');
  const picked = await vscode.window.showErrorMessage(t('Toolgate: {0}', words), open, log);
  if (picked === open) await vscode.commands.executeCommand(COMMANDS.openConfiguration);
  if (picked === log) await vscode.commands.executeCommand(COMMANDS.showLog);
}

/** Whether something accepts connections on this port of the machine. */
function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port, timeout: PROBE_TIMEOUT_MS });
    const answer = (listening: boolean): void => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => {
      answer(true);
    });
    socket.once('error', () => {
      answer(false);
    });
    socket.once('timeout', () => {
      answer(false);
    });
  });
}
