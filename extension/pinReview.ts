import * as vscode from 'vscode';
import { changeTitle, changeWords } from '../gateway/contract/pin-text.ts';
import type { PinItem, ReviewSummary } from '../gateway/contract/pins.ts';
import type { ServerView } from '../gateway/contract/registry.ts';
import { COMMANDS } from './commandIds.ts';
import type { GatewayController } from './gatewayController.ts';
import { pinUri, readPinUri, type PinTarget } from './pinDocuments.ts';
import type { RegistryFeed } from './registryFeed.ts';
import { allServers, isRegistryNode } from './registryNodes.ts';
import { countChanges } from './words.ts';

const { t } = vscode.l10n;
const BRIEF_MS = 3_000;

export interface PinReviewDeps {
  readonly controller: GatewayController;
  readonly feed: RegistryFeed;
}

/** Shows what a server changed in the diff editor: what was accepted left, what it offers now right. */
export async function reviewChange({ feed }: PinReviewDeps, argument: unknown): Promise<void> {
  const target = targetOf(argument) ?? (await askWhich(feed));
  if (target === undefined) return;
  const { server, item } = target;
  const title = t('{0} ({1}): accepted ↔ offered', changeTitle(item), server);
  const [left, right] = [pinUri(target, 'accepted'), pinUri(target, 'offered')];
  await vscode.commands.executeCommand('vscode.diff', left, right, title, { preview: true });
}

/** Decides on the change of a tree node, or of the diff editor that is open. */
export async function decideOnChange(
  deps: PinReviewDeps,
  decision: 'accept' | 'reject',
  argument: unknown,
): Promise<void> {
  const target = targetOf(argument) ?? targetOf(activeDocument());
  if (target === undefined) throw new Error(t('Open a change from the registry first.'));
  await decide(deps, decision, target.server, [target.item]);
  await closeReviews([target.item]);
}

/** Accepts all that waits of a server, after a question. */
export async function acceptAllChanges(deps: PinReviewDeps, argument: unknown): Promise<void> {
  const server = isRegistryNode(argument) && 'server' in argument ? argument.server : undefined;
  const items = server === undefined ? [] : waitingItems(server);
  if (server === undefined || items.length === 0) return;
  const accept = t('Accept All');
  const question = t('Accept {0} of {1} without a look at each?', countChanges(items.length), server.name);
  const detail = items.map(changeTitle).join('\n');
  const answer = await vscode.window.showWarningMessage(question, { modal: true, detail }, accept);
  if (answer !== accept) return;
  await decide(deps, 'accept', server.fqn, items);
  await closeReviews(items);
}

/** Tells of definitions that came into quarantine: once each, however many come at a time. */
export function noticeQuarantine({ feed }: Pick<PinReviewDeps, 'feed'>): vscode.Disposable {
  let told = new Set<string>();
  return feed.onDidChange(() => {
    if (feed.registry === undefined) return;
    const servers = allServers(feed.registry);
    const keys = new Map(
      servers.flatMap((server) =>
        waitingItems(server).map(({ kind, name, hash }) => [
          JSON.stringify([server.fqn, kind, name, hash]),
          server,
        ]),
      ),
    );
    const news = [...keys].filter(([key]) => !told.has(key));
    told = new Set(keys.keys());
    if (news.length > 0) void tell([...new Set(news.map(([, { name }]) => name))], news.length);
  });
}

async function tell(servers: readonly string[], count: number): Promise<void> {
  const names = servers.join(', ');
  const message =
    count === 1
      ? t('Toolgate: 1 change of {0} waits for review. It is hidden until you accept it.', names)
      : t(
          'Toolgate: {0} changes of {1} wait for review. They are hidden until you accept them.',
          count,
          names,
        );
  const review = t('Review');
  if ((await vscode.window.showWarningMessage(message, review)) === review)
    await vscode.commands.executeCommand(COMMANDS.reviewChange);
}

async function decide(
  { controller }: PinReviewDeps,
  decision: 'accept' | 'reject',
  server: string,
  items: readonly PinItem[],
): Promise<void> {
  const { client } = controller;
  if (client === undefined) throw new Error(t('The gateway is not running. Start it first.'));
  const named = items.map(({ kind, name, hash }) => ({ kind, name, hash }));
  await client.json('POST', `/api/v1/pins/${decision}`, { server, items: named });
  const done = decision === 'accept' ? t('Accepted') : t('Rejected');
  vscode.window.setStatusBarMessage(`$(check) ${done}`, BRIEF_MS);
}

function targetOf(argument: unknown): PinTarget | undefined {
  if (argument instanceof vscode.Uri) return readPinUri(argument);
  if (!isRegistryNode(argument) || argument.kind !== 'change') return undefined;
  const { kind, name, hash } = argument.change;
  return { server: argument.server.fqn, item: { kind, name, hash } };
}

function activeDocument(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  return input instanceof vscode.TabInputTextDiff ? input.modified : undefined;
}

async function askWhich(feed: RegistryFeed): Promise<PinTarget | undefined> {
  const servers = feed.registry === undefined ? [] : allServers(feed.registry);
  const items = servers.flatMap((server) =>
    waitingChanges(server).map((change) => ({
      label: changeTitle(change),
      description: `${server.fqn} · ${changeWords(change)}`,
      target: { server: server.fqn, item: { kind: change.kind, name: change.name, hash: change.hash } },
    })),
  );
  if (items.length === 0) {
    void vscode.window.showInformationMessage(t('No change waits for review.'));
    return undefined;
  }
  if (items.length === 1) return items[0]?.target;
  return (await vscode.window.showQuickPick(items, { title: t('Changes to review') }))?.target;
}

function waitingChanges({ review }: ServerView): ReviewSummary['changes'] {
  return review?.changes.filter(({ state }) => state === 'waiting') ?? [];
}

function waitingItems(server: ServerView): PinItem[] {
  return waitingChanges(server).map(({ kind, name, hash }) => ({ kind, name, hash }));
}

/** Closes the diff editors of these definitions: what they ask has been decided. */
async function closeReviews(items: readonly PinItem[]): Promise<void> {
  const hashes = new Set(items.map(({ hash }) => hash));
  const isDecided = ({ input }: vscode.Tab): boolean =>
    input instanceof vscode.TabInputTextDiff && hashes.has(readPinUri(input.modified)?.item.hash ?? '');
  const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs.filter(isDecided));
  await vscode.window.tabGroups.close(tabs);
}
