import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import type { ExtensionInternals } from '../../../extension/main.ts';
import type { RegistryNode } from '../../../extension/registryNodes.ts';

const EXTENSION_ID = 'toolgate.toolgate';

export function extension(): vscode.Extension<ExtensionInternals | undefined> {
  const found = vscode.extensions.getExtension<ExtensionInternals | undefined>(EXTENSION_ID);
  assert.ok(found, `${EXTENSION_ID} is not installed`);
  return found;
}

/** The activated extension's parts. */
export async function internals(): Promise<ExtensionInternals> {
  const parts = await extension().activate();
  assert.ok(parts, 'the extension does not run in test mode');
  return parts;
}

/** Asks until the answer is there; fails with the last error's words when it does not come in time. */
export async function eventually<Value>(
  what: string,
  ask: () => Value | undefined | Promise<Value | undefined>,
  timeoutMs = 20_000,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await ask();
    if (value !== undefined) return value;
    assert.ok(Date.now() < deadline, `${what}: not within ${timeoutMs} ms`);
    await sleep(50);
  }
}

/** Resolves with the running gateway's address and process. */
export async function running(
  isNew: (pid: number) => boolean = () => true,
): Promise<{ address: string; pid: number }> {
  const { controller } = await internals();
  return eventually('a running gateway', () => {
    const { status } = controller;
    return status.status === 'running' && isNew(status.pid) ? status : undefined;
  });
}

/** Resolves with the words of the failure when the gateway has failed. */
export async function failed(): Promise<string> {
  const { controller, tree } = await internals();
  return eventually('a failed gateway', () => {
    if (controller.status.status !== 'failed') return undefined;
    const [top] = tree.getChildren();
    assert.equal(top?.kind, 'failure');
    return tree
      .getChildren(top)
      .map((line) => labelOf(tree.getTreeItem(line)))
      .join('\n');
  });
}

export function labelOf(item: vscode.TreeItem): string {
  return typeof item.label === 'string' ? item.label : (item.label?.label ?? '');
}

/** A node of the tree by the labels that lead to it; labels need only begin so. */
export async function findNode(...labels: string[]): Promise<RegistryNode | undefined> {
  const { tree } = await internals();
  let node: RegistryNode | undefined;
  for (const label of labels) {
    node = tree.getChildren(node).find((child) => labelOf(tree.getTreeItem(child)).startsWith(label));
    if (node === undefined) return undefined;
  }
  return node;
}

/** Waits for a node, and for its item to be as wanted. */
export async function itemWhen(
  labels: readonly string[],
  wanted: (item: vscode.TreeItem) => boolean = () => true,
): Promise<vscode.TreeItem> {
  const { tree } = await internals();
  return eventually(`tree item ${labels.join(' > ')}`, async () => {
    const node = await findNode(...labels);
    const item = node === undefined ? undefined : tree.getTreeItem(node);
    return item !== undefined && wanted(item) ? item : undefined;
  });
}

/** The workspace's configuration file. */
export function configUri(): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder);
  return vscode.Uri.joinPath(folder.uri, 'toolgate.yaml');
}

export async function readConfig(): Promise<string> {
  return new TextDecoder().decode(await vscode.workspace.fs.readFile(configUri()));
}

export async function writeConfig(text: string): Promise<void> {
  await vscode.workspace.fs.writeFile(configUri(), new TextEncoder().encode(text));
}

/** The processes below one, itself left out. */
export function descendants(pid: number): number[] {
  const table = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] =>
    table.flatMap(([child = 0, of]) => (of === parent ? [child, ...below(child)] : []));
  return below(pid);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
