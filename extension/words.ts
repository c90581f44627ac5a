import * as vscode from 'vscode';
import type { GatewayState } from '../gateway/contract/playground.ts';
import type { ServerView } from '../gateway/contract/registry.ts';
import type { ChildExit, GatewayFailure, GatewayStatus } from './gatewaySupervisor.ts';

const { t } = vscode.l10n;

/** Why the gateway is not running, in words; the first line can stand alone. */
export function describeFailure(failure: GatewayFailure): string {
  switch (failure.kind) {
    case 'reported':
      return failure.message;
    case 'timeout':
      return t('The gateway did not become ready within {0} s.', failure.seconds);
    case 'launch':
      return t('The gateway could not be launched: {0}', failure.message);
    case 'exited':
      return [describeExit(failure.exit), ...failure.exit.stderrTail].join('\n');
  }
}

function describeExit({ code, signal }: ChildExit): string {
  if (signal !== null) return t('The gateway was ended by {0}.', signal);
  if (code !== null) return t('The gateway ended unexpectedly with exit code {0}.', code);
  return t('The gateway could not be launched.');
}

/** What comes next after a failure. */
export function describeRetry(status: GatewayStatus): string {
  if (status.status !== 'failed') return t('It is starting again.');
  if (status.retryInMs === undefined) return t('It starts again when the configuration changes.');
  return t('It starts again in {0} s.', status.retryInMs / 1000);
}

export function describeStatus(status: GatewayStatus): string {
  switch (status.status) {
    case 'stopped':
      return t('The gateway is stopped.');
    case 'starting':
      return t('The gateway is starting.');
    case 'running':
      return t('The gateway is running at {0}.', status.address);
    case 'failed':
      return `${describeFailure(status.failure)}\n${describeRetry(status)}`;
  }
}

/** The status as the playground's page is told. */
export function toGatewayState(status: GatewayStatus): GatewayState {
  if (status.status === 'running') return { status: 'running', address: status.address };
  if (status.status === 'failed') return { status: 'failed', error: describeStatus(status) };
  return { status: status.status };
}

/** Stopped because nobody has used it, and started again by the next call. */
export function isAtRest({ state, disabled, lastError }: StateOf): boolean {
  return state === 'stopped' && !disabled && lastError === undefined;
}

type StateOf = Pick<ServerView, 'state' | 'disabled' | 'lastError'>;

export function describeServerState(server: StateOf): string {
  if (isAtRest(server)) return t('at rest');
  switch (server.state) {
    case 'configured':
      return t('not started');
    case 'starting':
      return t('starting');
    case 'ready':
      return t('ready');
    case 'degraded':
      return t('degraded');
    case 'failed':
      return t('failed');
    case 'stopped':
      return t('stopped');
  }
}

export function countServers(count: number): string {
  return count === 1 ? t('1 server') : t('{0} servers', count);
}

export function countTools(count: number): string {
  return count === 1 ? t('1 tool') : t('{0} tools', count);
}

export function countChanges(count: number): string {
  return count === 1 ? t('1 change') : t('{0} changes', count);
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
