import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import {
  authorizeSchema,
  credentialListSchema,
  type CredentialView,
} from '../gateway/contract/credentials.ts';
import { COMMANDS } from './commandIds.ts';
import type { GatewayClient } from './gatewayClient.ts';
import type { RegistryFeed } from './registryFeed.ts';
import { isRegistryNode } from './registryNodes.ts';
import { choose, confirm, enter, required } from './steps.ts';

const { t } = vscode.l10n;
/** How often, and for how long, it is looked whether the user has signed in. */
const LOOK_MS = 1_000;
const SIGN_IN_MS = 10 * 60_000;

export interface CredentialDeps {
  readonly client: () => GatewayClient;
  readonly feed: RegistryFeed;
}

type Handler = (node: unknown) => Promise<unknown>;

/** The commands that give servers what they ask the user for. Each takes the tree's node it was called on. */
export function credentialCommands(deps: CredentialDeps): Record<string, Handler> {
  const changing =
    (kind: CredentialView['kind'], work: (credential: CredentialView) => Promise<unknown>): Handler =>
    async (node) => {
      const credential = credentialOf(deps.feed, node) ?? (await pick(deps.feed, kind));
      if (credential === undefined) return;
      await work(credential);
      await deps.feed.reread();
    };
  return {
    [COMMANDS.signInTo]: changing('oauth2', (credential) => signIn(deps.client(), credential)),
    [COMMANDS.renewSignIn]: changing('oauth2', (credential) =>
      deps.client().json('POST', `${pathOf(credential)}/renew`, {}),
    ),
    [COMMANDS.fillIn]: changing('values', (credential) => fillIn(deps.client(), credential)),
    [COMMANDS.takeBack]: changing('oauth2', (credential) => takeBack(deps.client(), credential)),
  };
}

function credentialOf(feed: RegistryFeed, node: unknown): CredentialView | undefined {
  if (!isRegistryNode(node)) return undefined;
  if (node.kind === 'credential') return node.credential;
  return 'server' in node ? feed.credentials.find(({ server }) => server === node.server.fqn) : undefined;
}

/** From the palette there is no node: the server is asked for. */
async function pick(feed: RegistryFeed, kind: CredentialView['kind']): Promise<CredentialView | undefined> {
  const choices = feed.credentials
    .filter((credential) => credential.kind === kind)
    .map((value) => ({ label: value.name, description: value.group, value }));
  if (choices.length === 0) {
    void vscode.window.showInformationMessage(t('No server asks you for that.'));
    return undefined;
  }
  const picked = await choose({ title: t('Which server?') }, t('Choose a server'), choices);
  return typeof picked === 'string' ? undefined : picked.value;
}

/** Opens the browser, and waits until the user has signed in there, or gives up. */
async function signIn(client: GatewayClient, credential: CredentialView): Promise<void> {
  const returnTo = `${vscode.env.uriScheme}://toolgate.toolgate/signed-in`;
  const known = /^(?:vscode|vscode-insiders|vscodium|code-oss|cursor|windsurf):/.test(returnTo);
  const body = known ? { returnTo } : {};
  const { url } = authorizeSchema.parse(await client.json('POST', `${pathOf(credential)}/authorize`, body));
  if (!(await vscode.env.openExternal(vscode.Uri.parse(url, true)))) return;
  const signedIn = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: t('Waiting until you have signed in to {0} in the browser', credential.name),
      cancellable: true,
    },
    (_progress, cancelled) => untilSignedIn(client, credential, cancelled),
  );
  if (signedIn)
    vscode.window.setStatusBarMessage(`$(check) ${t('Signed in to {0}', credential.name)}`, 3_000);
}

async function untilSignedIn(
  client: GatewayClient,
  before: CredentialView,
  cancelled: vscode.CancellationToken,
): Promise<boolean> {
  for (const end = Date.now() + SIGN_IN_MS; Date.now() < end && !cancelled.isCancellationRequested;) {
    await sleep(LOOK_MS);
    const { credentials } = credentialListSchema.parse(await client.json('GET', '/api/v1/credentials'));
    const now = credentials.find(({ server }) => server === before.server);
    if (now?.state === 'ok' && now.signedInAt !== before.signedInAt) return true;
  }
  return false;
}

/** Asks for each value that is missing, or for all where none is. */
async function fillIn(client: GatewayClient, credential: CredentialView): Promise<void> {
  const wanted = credential.missing.length > 0 ? credential.missing : credential.fields;
  const values: Record<string, string> = {};
  for (const field of wanted) {
    const title = t('Your Key for {0}', credential.name);
    const prompt = t('{0}: kept in VS Code’s secret storage, and used for you alone', field);
    const given = await enter({ title }, { prompt, password: true, validate: required });
    if (typeof given === 'string') return;
    values[field] = given.value;
  }
  await client.json('PUT', pathOf(credential), { values });
}

async function takeBack(client: GatewayClient, credential: CredentialView): Promise<void> {
  const { kind, name, subject } = credential;
  const question =
    kind === 'values'
      ? t('Take back what you gave {0}?', name)
      : subject === 'everyone'
        ? t('Sign everybody out of {0}?', name)
        : t('Sign out of {0}?', name);
  const action = kind === 'values' ? t('Take Back') : t('Sign Out');
  if (await confirm(question, action, t('Its tools cannot be called until it is given again.')))
    await client.json('DELETE', pathOf(credential));
}

function pathOf({ group, name }: CredentialView): string {
  return `/api/v1/credentials/${encodeURIComponent(group)}/${encodeURIComponent(name)}`;
}

/** Tells of each server that asks the user to sign in, once until they have. */
export function noticeSignIns(feed: RegistryFeed): vscode.Disposable {
  let told = new Set<string>();
  return feed.onDidChange(() => {
    const asking = feed.credentials.filter(({ state }) => state === 'consent');
    const news = asking.filter(({ server }) => !told.has(server));
    if (feed.registry !== undefined) told = new Set(asking.map(({ server }) => server));
    for (const credential of news) void tell(feed, credential);
  });
}

async function tell(feed: RegistryFeed, { server, name, problem }: CredentialView): Promise<void> {
  const why =
    problem === undefined
      ? t('{0} asks you to sign in.', name)
      : t('{0} asks you to sign in again: {1}', name, problem);
  const action = t('Sign In');
  if ((await vscode.window.showInformationMessage(`Toolgate: ${why}`, action)) !== action) return;
  const found = feed.registry?.groups.flatMap(({ servers }) => servers).find(({ fqn }) => fqn === server);
  if (found !== undefined)
    await vscode.commands.executeCommand(COMMANDS.signInTo, { kind: 'server', server: found });
}

/** Where the browser's last page leads back to: what there is now is shown at once. */
export function handleReturn(feed: RegistryFeed): vscode.Disposable {
  return vscode.window.registerUriHandler({
    handleUri: async ({ path }) => {
      if (path !== '/signed-in') return;
      await feed.reread();
      await vscode.commands.executeCommand('toolgate.registry.focus');
    },
  });
}
