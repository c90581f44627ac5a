import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { authorizeSchema } from '../../gateway/contract/credentials.ts';
import { childMessageSchema } from '../../gateway/contract/ipc.ts';
import { newToken } from '../../gateway/contract/token.ts';
import { createWalker, signIn } from '../support/browser-walk.ts';
import { PROGRAM } from '../support/gateway.ts';
import { keyedServer, type Keyed } from '../support/keyed-server.ts';
import { startOauthProvider, type OauthProvider } from '../support/oauth-provider.ts';
import { createPeople, type People } from '../support/people.ts';
import { startProtectedServer, type ProtectedServer } from '../support/protected-server.ts';

/** P107 P108 The gateway as VS Code runs it: its parent keeps the secrets, in memory here as in SecretStorage there. */
const OWNER = newToken('pat', randomBytes(32));
const kept = new Map<string, string>([['shared-key', 'the-first-key']]);
let locked = false;
let dir: string;
let child: ChildProcess;
let keyed: Keyed;
let stopKeyed = (): void => undefined;
let provider: OauthProvider;
let server: ProtectedServer;
let people: People;
let output = '';

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'toolgate-embedded-'));
  keyed = await keyedServer((stop) => (stopKeyed = stop));
  provider = await startOauthProvider();
  server = await startProtectedServer(provider.issuer);
  const header = (key: string, more = ''): string =>
    `auth: { type: header, headers: { x-key: "${key}" }${more} }`;
  const at = `url: "${keyed.url}", allowPrivateAddress: true`;
  await writeFile(
    join(dir, 'toolgate.yaml'),
    `version: 1
groups:
  - name: g
    servers:
      - { name: shared, ${at}, ${header('${secret:shared-key}')} }
      - { name: mine, ${at}, ${header('{{API_KEY}}', ', perUser: true')} }
      - { name: signed, url: "${server.url}", allowPrivateAddress: true, auth: { type: oauth2 } }
`,
  );
  child = fork(PROGRAM, ['serve', '--ipc'], { silent: true });
  child.stdout?.on('data', (text) => (output += String(text)));
  child.stderr?.on('data', (text) => (output += String(text)));
  const address = await new Promise<string>((resolve, reject) => {
    child.on('message', (raw) => {
      const message = childMessageSchema.parse(raw);
      if (message.type === 'ready') resolve(message.address);
      else if (message.type === 'failed') reject(new Error(message.message));
      else keep(message);
    });
    const start = {
      configFile: join(dir, 'toolgate.yaml'),
      dataDir: join(dir, 'data'),
      port: 0,
      logLevel: 'trace',
    };
    child.send({ type: 'start', ...start, ownerToken: OWNER, secrets: Object.fromEntries(kept) });
  });
  people = await createPeople({ address, token: OWNER }, []);
});
afterAll(async () => {
  child.kill('SIGKILL');
  stopKeyed();
  server.close();
  await provider.close();
  await rm(dir, { recursive: true, force: true });
});

function keep({
  id,
  name,
  value,
}: {
  readonly id: number;
  readonly name: string;
  readonly value: string | null;
}): void {
  if (locked) {
    child.send({ type: 'kept', id, error: 'the keyring is locked' });
    return;
  }
  if (value === null) kept.delete(name);
  else kept.set(name, value);
  child.send({ type: 'kept', id });
}

const call = async (name: string): Promise<string> => {
  const { body } = await people.api('owner', 'POST', '/calls', {
    server: `g:${name}`,
    tool: 'whoami',
    arguments: {},
  });
  return JSON.stringify(body);
};
const lastKey = (): unknown => keyed.seen.at(-1)?.['x-key'];

it('a secret set by the API is kept by the parent, and counts from the next call on', async () => {
  await expect.poll(() => call('shared')).toContain('digest');
  expect(lastKey()).toBe('the-first-key');
  const pid = child.pid;
  expect((await people.api('owner', 'PUT', '/secrets/shared-key', { value: 'the-second-key' })).status).toBe(
    200,
  );
  expect(kept.get('shared-key')).toBe('the-second-key');
  await expect.poll(async () => (await call('shared'), lastKey())).toBe('the-second-key');
  expect(child.pid).toBe(pid);
});

it('what the parent has changed itself is followed without a restart', async () => {
  kept.set('shared-key', 'the-third-key');
  child.send({ type: 'secrets', secrets: Object.fromEntries(kept) });
  await expect.poll(async () => (await call('shared'), lastKey())).toBe('the-third-key');
});

it('says why a secret was not kept, and goes on with the one before', async () => {
  locked = true;
  const refused = await people.api('owner', 'PUT', '/secrets/shared-key', { value: 'the-fourth-key' });
  locked = false;
  expect(refused).toMatchObject({ status: 409, body: { detail: 'the keyring is locked' } });
  expect(kept.get('shared-key')).toBe('the-third-key');
  await call('shared');
  expect(lastKey()).toBe('the-third-key');
});

it("takes a person's own key and sign-in, and leaves nothing of either on disk or in the log", async () => {
  await people.api('owner', 'PUT', '/credentials/g/mine', { values: { API_KEY: 'a-key-of-my-own' } });
  await expect.poll(() => call('mine')).toContain('digest');
  expect(lastKey()).toBe('a-key-of-my-own');
  const asked = await people.api('owner', 'POST', '/credentials/g/signed/authorize');
  await signIn(createWalker(), authorizeSchema.parse(asked.body).url, 'me-there');
  await expect.poll(() => call('signed')).toContain('whoami: me-there');
  expect([...kept.keys()].filter((name) => name.startsWith('oauth/'))).toHaveLength(2);

  const files = await readdir(dir, { recursive: true, withFileTypes: true });
  const texts = await Promise.all(
    files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'latin1')),
  );
  const tokens = server.seen.flatMap((one) => one?.replace('Bearer ', '') ?? []);
  for (const secret of ['a-key-of-my-own', 'the-third-key', ...tokens])
    for (const text of [output, ...texts]) expect(text).not.toContain(secret);
});
