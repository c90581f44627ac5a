import * as vscode from 'vscode';
import {
  newTokenSchema,
  tokenListSchema,
  tokenViewSchema,
  type TokenRequest,
  type TokenView,
} from '../gateway/contract/tokens.ts';
import { COMMANDS } from './commandIds.ts';
import type { GatewayClient } from './gatewayClient.ts';
import type { RegistryFeed } from './registryFeed.ts';
import { as, choose, confirm, enter, required, sequence, type Answer, type Place } from './steps.ts';
import type { TokensView } from './tokensView.ts';
import { describeToken } from './tokenWords.ts';

const { t } = vscode.l10n;

export interface TokenCommandDeps {
  readonly client: () => GatewayClient;
  readonly feed: RegistryFeed;
  readonly view: Pick<TokensView, 'refresh'>;
}

type Handler = (token: unknown) => Promise<unknown>;

/** The commands of the tokens' list. From the palette there is no token: it is asked for. */
export function tokenCommands(deps: TokenCommandDeps): Record<string, Handler> {
  const changing =
    (work: (token: TokenView) => Promise<unknown>): Handler =>
    async (given) => {
      const token = tokenViewSchema.safeParse(given).data ?? (await pickToken(deps.client()));
      if (token === undefined) return;
      await work(token);
      await deps.view.refresh();
    };
  return {
    [COMMANDS.createToken]: async () => {
      await createToken(deps);
      await deps.view.refresh();
    },
    [COMMANDS.refreshTokens]: () => deps.view.refresh(),
    [COMMANDS.rotateToken]: changing((token) => rotate(deps.client(), token)),
    [COMMANDS.revokeToken]: changing((token) => revoke(deps.client(), token)),
    [COMMANDS.revokeTokensOf]: changing((token) => revokeAll(deps.client(), token)),
  };
}

async function pickToken(client: GatewayClient): Promise<TokenView | undefined> {
  const { tokens } = tokenListSchema.parse(await client.json('GET', '/api/v1/tokens'));
  const choices = tokens.map((value) => ({
    label: value.name,
    description: describeToken(value, new Date()),
    value,
  }));
  const picked = await choose({ title: t('Which token?') }, t('Choose a token'), choices);
  return typeof picked === 'string' ? undefined : picked.value;
}

interface Draft {
  readonly kind: 'pat' | 'vat';
  readonly name: string;
  /** Empty: the user's own. */
  readonly subject: string;
  readonly expires: string;
  /** `group:server`; empty: not narrowed. */
  readonly servers: readonly string[];
}

const START: Draft = { kind: 'pat', name: '', subject: '', expires: '90d', servers: [] };

/** Asks what the token is to be, makes it, and offers its value once. */
async function createToken({ client, feed }: TokenCommandDeps): Promise<void> {
  const title = t('New Token');
  const known = (feed.registry?.groups ?? []).flatMap(({ name, servers }) =>
    servers.map((server) => `${name}:${server.name}`),
  );
  const draft = await sequence<Draft>(START, [
    (_state, step) => as('kind', askKind({ title, step })),
    (_state, step) =>
      as(
        'name',
        enter(
          { title, step },
          {
            prompt: t('What is it for?'),
            placeholder: t('For instance: laptop, nightly build'),
            validate: required,
          },
        ),
      ),
    ({ kind }, step) => as('subject', askSubject({ title, step }, kind)),
    (_state, step) => as('expires', askExpiry({ title, step })),
    () => (known.length === 0 ? undefined : as('servers', askServers(title, known))),
  ]);
  if (draft === undefined) return;
  const answer = newTokenSchema.parse(await client().json('POST', '/api/v1/tokens', requestOf(draft)));
  await handOver(answer.token, t('The token “{0}” is made.', draft.name));
}

function requestOf({ name, subject, expires, servers }: Draft): TokenRequest {
  return {
    name,
    ...(subject !== '' && { subject }),
    ...(expires !== '' && { expires }),
    ...(servers.length > 0 && { scope: { servers: [...servers] } }),
  };
}

function askKind(place: Place): Promise<Answer<Draft['kind']>> {
  return choose(place, t('Who is it for?'), [
    {
      label: t('A person'),
      description: 'PAT',
      detail: t('May what that person may, or less.'),
      value: 'pat',
    },
    { label: t('A service account'), description: 'VAT', detail: t('For a bot or a program.'), value: 'vat' },
  ]);
}

async function askSubject(place: Place, kind: Draft['kind']): Promise<Answer<string>> {
  if (kind === 'vat') {
    const named = await enter(place, {
      prompt: t('The service account’s name'),
      validate: (text) => (/^[^\s:*?]{1,128}$/.test(text) ? undefined : t('One word, without : * ?')),
    });
    return typeof named === 'string' ? named : { value: `serviceaccount:${named.value}` };
  }
  const named = await enter(place, {
    prompt: t('Whose is it? Empty: yours'),
    placeholder: t('ann@example.com'),
    validate: (text) =>
      text === '' || /^[^\s:*?]{1,128}$/.test(text) ? undefined : t('One word, without : * ?'),
  });
  return typeof named === 'string' || named.value === '' ? named : { value: `user:${named.value}` };
}

function askExpiry(place: Place): Promise<Answer<string>> {
  return choose(place, t('For how long does it hold?'), [
    { label: t('90 days'), value: '90d' },
    { label: t('30 days'), value: '30d' },
    { label: t('1 day'), value: '1d' },
    { label: t('A year'), value: '365d' },
    { label: t('For ever'), detail: t('Until somebody revokes it.'), value: '' },
  ]);
}

async function askServers(title: string, known: readonly string[]): Promise<Answer<readonly string[]>> {
  const picked = await vscode.window.showQuickPick(known, {
    title,
    canPickMany: true,
    placeHolder: t('Narrow it to these servers; none chosen: all that its subject may use'),
    ignoreFocusOut: true,
  });
  return picked === undefined ? 'cancelled' : { value: picked };
}

/** The only time that the value is there; it is not shown, since a screen may be. */
async function handOver(value: string, done: string): Promise<void> {
  const copy = t('Copy Token');
  const detail = t('Copy it now: nobody can see it later. It goes to the clipboard.');
  const picked = await vscode.window.showInformationMessage(done, { modal: true, detail }, copy);
  if (picked === copy) await vscode.env.clipboard.writeText(value);
}

async function rotate(client: GatewayClient, { id, name }: TokenView): Promise<void> {
  const grace = await choose(
    { title: t('Rotate “{0}”', name) },
    t('For how long does the value of now hold too?'),
    [
      { label: t('One hour'), value: '1h' },
      { label: t('One day'), value: '24h' },
      { label: t('Not at all'), detail: t('Whoever uses it is refused from now on.'), value: '0s' },
    ],
  );
  if (typeof grace === 'string') return;
  const body = { grace: grace.value };
  const answer = newTokenSchema.parse(await client.json('POST', `/api/v1/tokens/${id}/rotate`, body));
  await handOver(answer.token, t('“{0}” has a new value.', name));
}

async function revoke(client: GatewayClient, { id, name, subject }: TokenView): Promise<void> {
  const detail = t('Whoever uses it as {0} is refused at once. This cannot be undone.', subject);
  if (await confirm(t('Revoke the token “{0}”?', name), t('Revoke'), detail))
    await client.json('DELETE', `/api/v1/tokens/${id}`);
}

async function revokeAll(client: GatewayClient, { subject }: TokenView): Promise<void> {
  const detail = t('All programs that use one of them are refused at once. This cannot be undone.');
  if (await confirm(t('Revoke all tokens of {0}?', subject), t('Revoke All'), detail))
    await client.json('DELETE', `/api/v1/tokens?subject=${encodeURIComponent(subject)}`);
}
