import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { approvalListSchema, approvalViewSchema } from '../../gateway/contract/approvals.ts';
import { toolgate, type CliResult } from '../support/cli.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P65 P146 Calls that wait are listed, shown and decided in a terminal. */
let database: CountingServer;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  database = await startCountingServer();
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: prod
    access: { use: [everyone] }
    approvals: [{ tools: ["@destructive"], approvers: ["user:carol"], wait: 500ms, reason: "It cannot be undone." }]
    servers: [${database.entry('mongo')}]
`,
  });
  people = await createPeople(gateway, ['dev', 'carol']);
});
afterAll(async () => {
  await gateway.stop();
  await database.close();
});

const as = (who: string, ...args: string[]): Promise<CliResult> =>
  toolgate(['approvals', ...args], {
    TOOLGATE_GATEWAY: gateway.address,
    TOOLGATE_TOKEN: people.tokens[who] ?? '',
  });
const call = (database: string, more: object = {}): Promise<ApiAnswer> =>
  people.api('dev', 'POST', '/calls', {
    server: 'prod:mongo',
    tool: 'deleteCollection',
    arguments: { database, ...more },
  });
const idOf = (database: string): Promise<string> =>
  vi.waitFor(
    async () => {
      const { approvals } = approvalListSchema.parse(JSON.parse((await as('carol', '--json')).stdout));
      const one = approvals.find(({ arguments: args }) => args['database'] === database);
      if (one === undefined) throw new Error('nothing waits yet');
      return one.id;
    },
    { timeout: 15_000 },
  );

it('says that nothing waits, and who could decide what does', async () => {
  expect(await as('carol')).toMatchObject({ code: 0, stdout: 'Nothing waits for approval.\n' });
  expect(await as('carol', 'grants')).toMatchObject({ code: 0, stdout: 'No standing approvals.\n' });
  await call('listed');
  const id = await idOf('listed');
  const wants = 'user:dev wants to run deleteCollection on toolgate:prod:mongo';
  expect((await as('carol')).stdout).toMatch(new RegExp(`${id} +${wants} +waits, 15 min left +It cannot`));
  expect((await as('dev')).stdout).toContain('15 min left, not for you');
  const shown = await as('carol', 'show', id);
  expect(shown.stdout).toMatch(
    /Why: +It cannot be undone\..*\nMind: .*destroy.*\n[^]*user:carol; never the caller/,
  );
  expect(shown.stdout).toContain('"database": "listed"');
  expect((await as('dev', 'deny', id)).code).toBe(0);
});

it('approves, denies with a reason, and tells in words what cannot be done', async () => {
  await call('approved');
  const id = await idOf('approved');
  expect(await as('dev', 'approve', id)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nobody approves their own call'),
  });
  const approved = await as('carol', 'approve', id);
  expect(approved).toMatchObject({ code: 0, stdout: expect.stringMatching(/: approved by user:carol\n$/) });
  const late = await as('carol', 'deny', id);
  expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining('it was approved by user:carol') });
  expect((await call('approved')).status).toBe(200);
  expect((await as('carol', '--all')).stdout).toContain('approved by user:carol, and called');
  await call('denied');
  const denied = await as('carol', 'deny', await idOf('denied'), '--reason', 'Ask Ada.', '--json');
  expect(approvalViewSchema.parse(JSON.parse(denied.stdout)).decision).toMatchObject({ reason: 'Ask Ada.' });
  expect(String((await call('denied')).body['detail'])).toContain('denied by user:carol: Ask Ada.');
  expect(await as('carol', 'show', 'apr_none')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('there is no approval "apr_none"'),
  });
  expect(await as('carol', 'approve', id, '--for', 'ever')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('once, session, or 1m to 8h'),
  });
});

it('lets calls stand for a while, and takes that back', async () => {
  await call('standing');
  expect((await as('carol', 'approve', await idOf('standing'), '--for', '15m')).code).toBe(0);
  for (const name of ['standing', 'another']) expect((await call(name)).status).toBe(200);
  const { stdout } = await as('carol', 'grants');
  const [, grant] = /(grant_\w+) +user:dev +toolgate:prod:mongo +deleteCollection/.exec(stdout) ?? [];
  expect(await as('carol', 'revoke', grant ?? '')).toMatchObject({ code: 0 });
  expect(await as('carol', 'revoke', grant ?? '')).toMatchObject({ code: 1 });
  expect((await call('another')).status).toBe(403);
});

it('shows nothing that acts on a terminal, whatever is in the arguments', async () => {
  const diff = '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\u001b[2K\u009b1A\u202e';
  await call('escapes', { diff });
  const { stdout } = await as('carol', 'show', await idOf('escapes'));
  expect(stdout).toContain('+b[U+001B][2K[U+009B]1A[U+202E RIGHT-TO-LEFT OVERRIDE]');
  expect(stdout).not.toMatch(/(?!\n)\p{Cc}|\u202e/u);
});

it('lists what is too long for a list without its arguments, and shows it whole', async () => {
  await call('long', { note: 'x'.repeat(100_000) });
  const { approvals } = approvalListSchema.parse(JSON.parse((await as('carol', '--json')).stdout));
  const long = approvals.find(({ whole }) => !whole);
  expect(long).toMatchObject({ arguments: {}, diffs: [] });
  expect((await as('carol', 'show', long?.id ?? '')).stdout).toContain('x'.repeat(100_000));
});
