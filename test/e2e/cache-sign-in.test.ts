import { afterAll, beforeAll, expect, it } from 'vitest';
import { authorizeSchema } from '../../gateway/contract/credentials.ts';
import { createWalker, signIn } from '../support/browser-walk.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { startOauthProvider, type OauthProvider } from '../support/oauth-provider.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';
import { startProtectedServer, type ProtectedServer } from '../support/protected-server.ts';

/** P85 P143 What a server answered to one sign-in of a person is not given to another of theirs. */
let provider: OauthProvider;
let server: ProtectedServer;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  provider = await startOauthProvider();
  server = await startProtectedServer(provider.issuer);
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
      - { name: mine, url: "${server.url}", allowPrivateAddress: true, pins: trust, auth: { type: oauth2 } }
policies:
  cache: [{ when: { tools: ["g:mine:whoami"] }, ttl: 10m }]
`,
  });
  people = await createPeople(gateway, ['ann']);
});
afterAll(async () => {
  await gateway.stop();
  server.close();
  await provider.close();
});

const call = (): Promise<ApiAnswer> =>
  people.api('ann', 'POST', '/calls', { server: 'g:mine', tool: 'whoami', arguments: {} });
const signInAs = async (account: string): Promise<void> => {
  const { body } = await people.api('ann', 'POST', '/credentials/g/mine/authorize');
  await signIn(createWalker(), authorizeSchema.parse(body).url, account);
};
/** Whom the server answered, and whether that was kept. */
const whoIs = async (): Promise<{ text: string | undefined; kept: boolean }> => {
  const text = JSON.stringify((await call()).body);
  return { text: /whoami: ([\w-]+)/.exec(text)?.[1], kept: text.includes('toolgate/cache') };
};
const isAnswered = (account: string): Promise<void> =>
  expect.poll(async () => (await whoIs()).text, { timeout: 20_000 }).toBe(account);

it('another account of the same person is asked afresh, and so is who has signed in again', async () => {
  await signInAs('ann-there');
  await isAnswered('ann-there');
  expect(await whoIs()).toEqual({ text: 'ann-there', kept: true });
  await signInAs('ann-elsewhere');
  expect(await whoIs()).toEqual({ text: 'ann-elsewhere', kept: false });
  expect(await whoIs()).toEqual({ text: 'ann-elsewhere', kept: true });
  expect((await people.api('ann', 'DELETE', '/credentials/g/mine')).status).toBe(200);
  expect((await call()).status).toBe(403);
  await signInAs('ann-there');
  expect(await whoIs()).toEqual({ text: 'ann-there', kept: false });
});
