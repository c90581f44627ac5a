import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { approvalGrantListSchema } from '../../gateway/contract/approvals.ts';
import { newTokenSchema } from '../../gateway/contract/tokens.ts';
import { createApprover } from '../support/approver.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask as askModern } from '../support/modern.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P65 P67 P146 What an approval is bound to, and what its approvers are shown: ways around it, each of them closed. */
const HOOK_SECRET = 'the-secret-of-the-hook';
let database: CountingServer;
let gateway: RunningGateway;
let people: People;

const CONFIG = (): string => `version: 1
subjects:
  serviceAccounts: [{ name: bot }]
  teams:
    - { name: security, members: ["user:carol", "user:cem"] }
groups:
  - name: policies
    access: { use: [everyone], manage: ["user:mona"] }
    approvals: [{ tools: ["@destructive"], approvers: ["team:security"], wait: 300ms }]
    servers: [${database.entry('named')}]
  - name: prod
    access: { use: [everyone], manage: ["user:mona"] }
    approvals: [{ tools: ["@destructive"], approvers: ["team:security"], wait: 300ms, expires: 10m }]
    servers:
      - ${database.entry('mongo', ', tags: [first]')}
  - name: shared
    access: { use: [everyone], manage: ["user:dev"] }
    servers:
      - { name: analytics, virtual: [{ server: "prod:mongo", tools: ["@all"] }] }
policies:
  guardrails:
    - { name: pii, kind: pii, hooks: [toolArguments], operation: mutate, entities: [email] }
  approvals:
    - { name: named, when: { servers: ["policies:*"] }, approvers: ["user:hal"], wait: 300ms }
    - { name: managed, when: { servers: ["prod:*"], condition: 'args.database == "managed"' }, wait: 300ms }
  approvalWebhooks:
    - { name: own, url: "http://127.0.0.1:9/", secret: "\${env:HOOK_SECRET}", as: "serviceaccount:bot", allowPrivateAddress: true }
`;

beforeAll(async () => {
  database = await startCountingServer();
  gateway = await startGateway({ config: CONFIG(), env: { HOOK_SECRET } });
  people = await createPeople(gateway, ['dev', 'eve', 'carol', 'cem', 'hal', 'mona']);
});
afterAll(async () => {
  await gateway.stop();
  await database.close();
});
beforeEach(() => database.clear());

const call = (who: string, args: object, server = 'prod:mongo'): Promise<ApiAnswer> =>
  people.api(who, 'POST', '/calls', { server, tool: 'deleteCollection', arguments: args });
const { pending, decide, waitFor } = createApprover(() => people);
const detail = ({ body }: ApiAnswer): string => String(body['detail']);

/** Puts a changed configuration in force, and the former back when the test is over. */
async function configure(change: (text: string) => string): Promise<() => Promise<void>> {
  const { body } = await people.api('owner', 'GET', '/config');
  const text = String(body['text']);
  const put = async (next: string): Promise<void> => {
    expect((await people.api('owner', 'PUT', '/config', { text: next })).status).toBe(200);
  };
  const changed = change(text);
  expect(changed).not.toBe(text);
  await put(changed);
  return () => put(text);
}

describe('what approvers see', () => {
  it('is what the server would get, with no secret of the caller in it, in the diff and on the disk either', async () => {
    const key = `AKIAABCDEFGH234567AB`;
    const diff = `--- a/.env\n+++ b/.env\n@@ -1 +1,2 @@\n-A=1\n+A=2\n+password: "hunter2-hunter2"`;
    const args = {
      database: 'secrets',
      password: 'correct horse',
      options: {
        apiKey: 'short',
        url: `postgres://root:toor-toor@db/x`,
        commit: 'd670460b4b4aece5915caf5c68d12f560a9fe3e4',
      },
      note: `key ${key}`,
      to: 'ada@example.com',
      diff,
    };
    const secrets = ['correct horse', '"short"', 'toor-toor', key, 'hunter2-hunter2'];
    await call('dev', args);
    const one = await waitFor('carol', 'secrets');
    const shown = JSON.stringify(one);
    for (const secret of secrets) expect(shown).not.toContain(secret);
    expect(one.arguments).toMatchObject({
      password: '[PASSWORD]',
      options: { apiKey: '[API_KEY]', commit: args.options.commit },
      note: 'key [AWS_ACCESS_KEY]',
      to: '[EMAIL]',
    });
    expect(one.diffs[0]?.text).toContain('+password: "[PASSWORD]"');
    for (const file of ['approvals.db', 'approvals.db-wal']) {
      const bytes = await readFile(join(gateway.dataDir, file)).catch(() => Buffer.alloc(0));
      for (const secret of secrets.filter((text) => text !== '"short"'))
        expect(bytes.includes(secret)).toBe(false);
    }
    await decide('carol', one.id, 'approve');
    expect((await call('dev', { ...args, password: 'another' })).status).toBe(403);
    expect((await call('dev', args)).status).toBe(200);
    expect(database.seen).toMatchObject([{ args: { password: 'correct horse', diff, to: '[EMAIL]' } }]);
  });

  it('is nothing that hides or acts on a screen', async () => {
    const hidden = 'prod\u202etset\u202c';
    await call('dev', { database: hidden, 'na\u200bme': 'x\u001b[2Jy' });
    const one = await waitFor(
      'carol',
      'prod[U+202E RIGHT-TO-LEFT OVERRIDE]tset[U+202C POP DIRECTIONAL FORMATTING]',
    );
    expect(one.arguments).toMatchObject({ 'na[U+200B ZERO WIDTH SPACE]me': 'x[U+001B][2Jy' });
    expect((await decide('carol', one.id, 'deny', { reason: 'N\u202eo' })).status).toBe(200);
    expect(detail(await call('dev', { database: hidden, 'na\u200bme': 'x\u001b[2Jy' }))).toContain(
      'N[U+202E',
    );
    // Without what hides, it is another call.
    expect(detail(await call('dev', { database: 'prodtset' }))).toContain('waits for approval');
  });
});

describe('an approval is void', () => {
  it('once its policy is another, also for a call that waits for it', async () => {
    await call('dev', { database: 'policy' });
    await decide('carol', (await waitFor('carol', 'policy')).id, 'approve');
    const back = await configure((text) => text.replace('expires: 10m', 'expires: 9m'));
    expect((await call('dev', { database: 'policy' })).status).toBe(403);
    await back();
    const slow = await configure((text) => text.replace('wait: 300ms, expires', 'wait: 10s, expires'));
    const held = call('dev', { database: 'held' });
    const one = await waitFor('carol', 'held');
    const other = await configure((text) =>
      text.replace(/(wait: )10s(, expires: 10m)/, '$1300ms$2, reason: "Mind."'),
    );
    expect((await decide('carol', one.id, 'approve')).status).toBe(200);
    expect(detail(await held)).toContain('waits for approval');
    expect(database.seen).toEqual([]);
    await other();
    await slow();
  });

  it('once the server behind a virtual one is another', async () => {
    await call('dev', { database: 'behind' }, 'shared:analytics');
    await decide('carol', (await waitFor('carol', 'behind')).id, 'approve');
    const back = await configure((text) => text.replace('tags: [first]', 'tags: [second]'));
    await vi.waitFor(async () => {
      const answer = await call('dev', { database: 'behind' }, 'shared:analytics');
      expect(detail(answer)).toContain('waits for approval');
    }, 10_000);
    expect(database.seen).toEqual([]);
    await back();
  });

  it('to who may not call any more when it is given', async () => {
    const slow = await configure((text) => text.replace('wait: 300ms, expires', 'wait: 10s, expires'));
    const held = call('dev', { database: 'withdrawn' });
    const { id } = await waitFor('carol', 'withdrawn');
    const open = /(name: prod\n +access: \{ use: \[)everyone/;
    const back = await configure((text) => text.replace(open, '$1"user:carol"'));
    expect((await decide('carol', id, 'approve')).status).toBe(200);
    expect((await held).status).toBe(404);
    expect(database.seen).toEqual([]);
    await back();
    await slow();
  });

  it('once its approver is no approver any more, and so is what they let stand', async () => {
    await call('dev', { database: 'left' });
    await decide('cem', (await waitFor('cem', 'left')).id, 'approve', { scope: { minutes: 5 } });
    const back = await configure((text) => text.replace(', "user:cem"]', ']'));
    for (const name of ['left', 'other']) expect((await call('dev', { database: name })).status).toBe(403);
    expect(database.seen).toEqual([]);
    await back();
    expect((await call('dev', { database: 'left' })).status).toBe(200);
    const { body } = await people.api('cem', 'GET', '/approval-grants');
    const [grant] = approvalGrantListSchema.parse(body).grants;
    const headers = { authorization: `Bearer ${people.tokens['cem'] ?? ''}` };
    const url = `${gateway.address}/api/v1/approval-grants/${grant?.id}`;
    expect((await fetch(url, { method: 'DELETE', headers })).status).toBe(204);
  });
});

describe('who decides', () => {
  it('is asked in each source, also where a group is called as the section is', async () => {
    await call('dev', { database: 'both' }, 'policies:named');
    await decide('carol', (await waitFor('carol', 'both')).id, 'approve');
    expect(detail(await call('dev', { database: 'both' }, 'policies:named'))).toContain(
      'approval by user:hal',
    );
    expect(database.seen).toEqual([]);
  });

  it('is who manages the server behind a virtual one, not who made that', async () => {
    await call('eve', { database: 'managed' }, 'shared:analytics');
    await decide('carol', (await waitFor('carol', 'managed')).id, 'approve');
    await call('eve', { database: 'managed' }, 'shared:analytics');
    const one = await waitFor('mona', 'managed');
    expect((await decide('dev', one.id, 'approve')).status).toBe(404);
    expect((await decide('mona', one.id, 'approve')).status).toBe(200);
    expect((await call('eve', { database: 'managed' }, 'shared:analytics')).status).toBe(200);
  });

  it('is nobody in the name of whom the call was made: a second token, a webhook, an answer that nobody asked for', async () => {
    const made = await people.api('owner', 'POST', '/tokens', { name: 'second', subject: 'user:carol' });
    const second = newTokenSchema.parse(made.body).token;
    await call('carol', { database: 'same person' });
    const { id } = await waitFor('cem', 'same person');
    const answer = await fetch(`${gateway.address}/api/v1/approvals/${id}/approve`, {
      method: 'POST',
      headers: { authorization: `Bearer ${second}` },
    });
    expect(answer.status).toBe(403);

    const back = await configure((text) =>
      text.replace(
        'approvers: ["team:security"], wait: 300ms, expires',
        'approvers: ["serviceaccount:bot", "team:security"], wait: 300ms, expires',
      ),
    );
    const bot = newTokenSchema.parse(
      (
        await people.api('owner', 'POST', '/tokens', {
          name: 'bot',
          subject: 'serviceaccount:bot',
          scope: { servers: ['prod:mongo'] },
        })
      ).body,
    ).token;
    await fetch(`${gateway.address}/api/v1/calls`, {
      method: 'POST',
      headers: { authorization: `Bearer ${bot}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        server: 'prod:mongo',
        tool: 'deleteCollection',
        arguments: { database: 'bot' },
      }),
    });
    const word = JSON.stringify({ id: (await waitFor('carol', 'bot')).id, verdict: 'approved' });
    const t = Math.floor(Date.now() / 1000);
    const v1 = createHmac('sha256', HOOK_SECRET).update(`${t}.${word}`).digest('hex');
    const hook = await fetch(`${gateway.address}/api/v1/approvals/webhooks/own`, {
      method: 'POST',
      headers: { 'x-toolgate-signature': `t=${t},v1=${v1}` },
      body: word,
    });
    expect([hook.status, await hook.text()]).toEqual([403, expect.stringContaining('fourEyes')]);
    await back();

    const caller = { address: gateway.address, token: people.tokens['carol'] ?? '' };
    const forged = {
      ...{ name: 'deleteCollection', arguments: { database: 'forged' }, requestState: 'x' },
      inputResponses: { 'toolgate-approval': { action: 'accept', content: { decision: 'approve' } } },
    };
    const { requestState: _none, ...unasked } = forged;
    for (const params of [unasked, forged]) {
      const modern = await askModern(caller, '/mcp/prod/mongo', 'tools/call', params, {
        capabilities: { elicitation: { form: {} } },
      });
      expect(modern.result?.['resultType']).not.toBe('input_required');
      expect(modern.result?.['isError'] ?? modern.error).toBeTruthy();
    }
    expect(database.seen).toEqual([]);
  });

  it('sees what waits for them however much of others does', async () => {
    for (const who of ['dev', 'eve'])
      for (let index = 0; index < 6; index++) await call(who, { database: `many ${index}` }, 'prod:mongo');
    expect(await pending('carol', '?limit=3')).toHaveLength(3);
    await call('dev', { database: 'hidden' }, 'policies:named');
    await decide('carol', (await waitFor('carol', 'hidden')).id, 'approve');
    await call('dev', { database: 'hidden' }, 'policies:named');
    for (let index = 6; index < 9; index++) await call('dev', { database: `many ${index}` }, 'prod:mongo');
    expect((await pending('hal', '?limit=1'))[0]?.arguments).toEqual({ database: 'hidden' });
  });
});

describe('a narrowed token', () => {
  it('sees of its person only what it reaches itself, and approves nothing', async () => {
    const narrow = async (scope: object): Promise<Record<string, string>> => {
      const body = { name: JSON.stringify(scope), subject: 'user:carol', scope };
      const { token } = newTokenSchema.parse((await people.api('owner', 'POST', '/tokens', body)).body);
      return { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    };
    await call('carol', { database: 'narrow' });
    const { id } = await waitFor('cem', 'narrow');
    await call('dev', { database: 'of another' });
    const other = await waitFor('carol', 'of another');
    const at = `${gateway.address}/api/v1/approvals`;
    for (const [scope, seen] of [
      [{ tools: ['prod:mongo:list*'] }, 404],
      [{ groups: ['shared'] }, 404],
      [{ tools: ['prod:mongo:*'] }, 200],
    ] as const) {
      const headers = await narrow(scope);
      expect([scope, (await fetch(`${at}/${id}`, { headers })).status]).toEqual([scope, seen]);
      const approve = await fetch(`${at}/${other.id}/approve`, { method: 'POST', headers, body: '{}' });
      expect([scope, approve.status]).toEqual([scope, 404]);
    }
  });
});

describe('a session', () => {
  it('of an MCP client takes what was approved for it with it when it ends', async () => {
    const connect = async (): Promise<Client> => {
      const client = new Client({ name: 'client', version: '1' });
      const requestInit = { headers: { authorization: `Bearer ${people.tokens['dev'] ?? ''}` } };
      const url = new URL(`${gateway.address}/mcp/prod/mongo`);
      await client.connect(new StreamableHTTPClientTransport(url, { requestInit }));
      return client;
    };
    const remove = async (client: Client, database: string): Promise<boolean> =>
      (await client.callTool({ name: 'deleteCollection', arguments: { database } })).isError !== true;
    const [first, second] = [await connect(), await connect()];
    expect(await remove(first, 'session')).toBe(false);
    await decide('carol', (await waitFor('carol', 'session')).id, 'approve', { scope: 'session' });
    expect([await remove(first, 'session'), await remove(first, 'more')]).toEqual([true, true]);
    expect(await remove(second, 'more')).toBe(false);
    await first.close();
    const third = await connect();
    expect(await remove(third, 'still more')).toBe(false);
    expect((await call('dev', { database: 'by API' })).status).toBe(403);
    expect(database.seen).toHaveLength(2);
    await Promise.all([second.close(), third.close()]);
  });
});
