import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newTokenSchema } from '../../gateway/contract/tokens.ts';
import { toolgate } from '../support/cli.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P33 P85 Users, teams and service accounts over the API and the command line; the file stays the truth. */
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  gateway = await startGateway({
    config: `version: 1
# Who there is.
subjects:
  users:
    - { name: ann } # the first
groups: [{ name: g, access: { use: ["team:finance", "user:ann", "serviceaccount:bot"] } }]
`,
  });
  people = await createPeople(gateway, ['ann', 'ben']);
});
afterAll(() => gateway.stop());

const subjects = (method: string, path: string, body?: unknown, who = 'owner'): Promise<ApiAnswer> =>
  people.api(who, method, `/subjects/${path}`, body);
const sees = async (who: string): Promise<number> => {
  const { status, body } = await people.api(who, 'GET', '/registry');
  return status === 200 ? (body['groups'] as unknown[]).length : status;
};

it('adds a team, whose members may from the next request on, and keeps the comments of the file', async () => {
  expect(await sees('ben')).toBe(0);
  const added = await subjects('POST', 'teams', { entry: { name: 'finance', members: ['user:ben'] } });
  expect(added).toMatchObject({ status: 200, body: { dryRun: false } });
  expect(await sees('ben')).toBe(1);
  const file = await readFile(gateway.configFile, 'utf8');
  expect(file).toContain('# Who there is.');
  expect(file).toContain('# the first');
  expect((await subjects('GET', 'teams')).body).toEqual({
    entries: [{ name: 'finance', members: ['user:ben'] }],
  });
  expect((await subjects('PATCH', 'teams/finance', { changes: { members: [] } })).status).toBe(200);
  expect(await sees('ben')).toBe(0);
});

it('bars a disabled user, and lets them in again', async () => {
  expect(await sees('ann')).toBe(1);
  await subjects('PATCH', 'users/ann', { changes: { disabled: true } });
  expect(await sees('ann')).toBe(0);
  await subjects('PATCH', 'users/ann', { changes: { disabled: null } });
  expect(await sees('ann')).toBe(1);
});

it('is for administrators, and says what is wrong', async () => {
  expect((await subjects('GET', 'users', undefined, 'ben')).status).toBe(403);
  expect((await subjects('POST', 'users', { entry: { name: 'x' } }, 'ben')).status).toBe(403);
  expect((await subjects('DELETE', 'users/ann', {}, 'ben')).status).toBe(403);
  expect(await subjects('POST', 'users', { entry: { name: 'ann' } })).toMatchObject({
    status: 409,
    body: { field: 'name' },
  });
  expect(await subjects('DELETE', 'teams/nobody')).toMatchObject({ status: 404, body: { field: 'name' } });
  expect(await subjects('GET', 'robots')).toMatchObject({ status: 404, body: { field: 'list' } });
  const wrong = await subjects('POST', 'service-accounts', { entry: { name: 'x', team: 'nowhere' } });
  expect(wrong.status).toBe(400);
  expect(wrong.body['detail']).toContain('there is no team "nowhere"');
});

it('a service account of the command line works, and its tokens end with it', async () => {
  const env = { TOOLGATE_GATEWAY: gateway.address, TOOLGATE_TOKEN: gateway.token };
  expect((await toolgate(['service-account', 'add', 'bot', '--environment', 'prod'], env)).code).toBe(0);
  expect((await toolgate(['service-account', 'list'], env)).stdout).toMatch(/bot +prod/);
  const scope = { groups: ['g'] };
  const made = await people.api('owner', 'POST', '/tokens', {
    name: 'bot',
    subject: 'serviceaccount:bot',
    scope,
  });
  const { token, view } = newTokenSchema.parse(made.body);
  const registry = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${token}` };
    return (await fetch(`${gateway.address}/api/v1/registry`, { headers })).status;
  };
  expect(await registry()).toBe(200);
  expect((await subjects('DELETE', 'service-accounts/bot?dryRun=true')).body).toMatchObject({
    dryRun: true,
    revoked: [],
  });
  expect(await registry()).toBe(200);
  expect((await subjects('DELETE', 'service-accounts/bot')).body['revoked']).toEqual([view.id]);
  expect(await registry()).toBe(401);
});

it("takes a user's tokens along where that is asked for", async () => {
  const env = { TOOLGATE_GATEWAY: gateway.address, TOOLGATE_TOKEN: gateway.token };
  expect((await toolgate(['user', 'add', 'ben'], env)).code).toBe(0);
  await subjects('DELETE', 'users/ben');
  expect(await sees('ben')).toBe(0);
  expect((await toolgate(['user', 'add', 'ben', '--disabled'], env)).code).toBe(0);
  expect((await toolgate(['user', 'remove', 'ben', '--revoke-tokens'], env)).code).toBe(0);
  expect(await sees('ben')).toBe(401);
});
