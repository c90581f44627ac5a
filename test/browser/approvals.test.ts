import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { approvalListSchema } from '../../gateway/contract/approvals.ts';
import { launchBrowser, shoot } from '../support/chromium.ts';
import { consoleLink } from '../support/browser-session.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople } from '../support/people.ts';

/** P65 P146 P163 P164 Calls that wait for approval, decided in the console. */
let browser: Browser;
let gateway: RunningGateway;
let database: CountingServer;
let wire: OpenAiWire;

beforeAll(async () => {
  database = await startCountingServer();
  wire = await startOpenAiWire();
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: prod
    approvals: [{ tools: ["@destructive"], fourEyes: false, wait: 20s, reason: "It cannot be undone." }]
    servers: [${database.entry('mongo')}]
  - name: strict
    access: { use: [everyone] }
    approvals: [{ tools: ["@destructive"], approvers: ["user:carol"], wait: 8s }]
    servers: [${database.entry('own')}]
models: { providers: [{ name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [gpt-test], allowPrivateAddress: true }] }
`,
  });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
  await wire.close();
  await database.close();
});

async function visit(colorScheme: 'dark' | 'light'): Promise<Page> {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1180, height: 760 } });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  await page.goto(await consoleLink(gateway));
  return page;
}

/** A call of the owner by the API, which waits for some seconds. */
const hold = (database: string, more: object = {}): Promise<Response> =>
  fetch(`${gateway.address}/api/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      server: 'prod:mongo',
      tool: 'deleteCollection',
      arguments: { database, ...more },
    }),
  });
const pendingId = (database: string): Promise<string> =>
  vi.waitFor(async () => {
    const headers = { authorization: `Bearer ${gateway.token}` };
    const answer = await fetch(`${gateway.address}/api/v1/approvals`, { headers });
    const { approvals } = approvalListSchema.parse(await answer.json());
    const id = approvals.find(({ arguments: args }) => args['database'] === database)?.id;
    if (id === undefined) throw new Error('nothing waits yet');
    return id;
  }, 10_000);
const DIFF = '--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n same\n-old\n+new';

it('a run pauses in the conversation, and goes on when it is approved there', async () => {
  const page = await visit('dark');
  await page.getByRole('checkbox', { name: /Server mongo, ready/ }).check();
  const call = (id: string, database: string, diff?: string) =>
    calls([{ id, name: 'mongo__deleteCollection', arguments: JSON.stringify({ database, diff }) }]);
  wire.reply(call('c', 'prod', DIFF), call('d', 'more'), says('It is gone.'));
  await page.getByRole('textbox', { name: /message/i }).fill('Delete it.');
  await page.keyboard.press('Enter');
  const card = page.locator('tg-approval');
  await card.getByText('waits for approval.').waitFor();
  await card.getByText('It cannot be undone.').waitFor();
  await card.getByText('It may destroy something.').waitFor();
  await card.getByText(/expires in 1[45] min/).waitFor();
  await card.getByText('"database": "prod"').waitFor();
  expect(await card.locator('.diff-line.added').allTextContents()).toEqual(['+new']);
  expect(await card.locator('.diff-line.removed').allTextContents()).toEqual(['-old']);
  await shoot(page, 'approval-run-dark');
  expect(database.seen).toEqual([]);
  const howLong = card.getByRole('combobox', { name: 'For how long' });
  expect(await howLong.locator('option').allTextContents()).toContain('the tool, for this run');
  await howLong.selectOption({ label: 'the tool, for this run' });
  await card.getByText('Approve', { exact: true }).click();
  await page.getByText('It is gone.', { exact: true }).waitFor();
  await card.getByText('was approved by user:owner').waitFor();
  expect(database.seen).toHaveLength(2);
  await page.context().close();
});

it('calls of others are listed beside it, and can be denied with a reason that stays where it was', async () => {
  const page = await visit('light');
  database.clear();
  const held = hold('other');
  const list = page.locator('tg-approvals');
  await list.getByText('1 waiting').waitFor();
  await shoot(page, 'approval-list-light');
  await list.getByText('Deny', { exact: true }).click();
  await page.keyboard.type('Not on a Friday.');
  await shoot(page, 'approval-deny-light');
  await page.keyboard.press('Enter');
  const answer = await held;
  expect(answer.status).toBe(403);
  expect(await answer.text()).toContain('denied by user:owner: Not on a Friday.');
  await list.getByText('denied by user:owner').waitFor();
  await list.getByText('“Not on a Friday.”').waitFor();
  await expect.poll(() => page.locator('tg-approvals section').count(), { timeout: 15_000 }).toBe(0);
  expect(database.seen).toEqual([]);
  await page.context().close();
}, 30_000);

it('the address in a refusal opens that call, also where somebody has to sign in first', async () => {
  database.clear();
  const held = hold('linked', { diff: DIFF });
  const id = await pendingId('linked');
  const context = await browser.newContext({
    colorScheme: 'light',
    viewport: { width: 1180, height: 760 },
  });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  await page.goto(`${gateway.address}/#approval=${id}`);
  await page.getByText('to see the call that waits for approval').waitFor();
  await shoot(page, 'approval-sign-in-light');
  await page.getByLabel('Token').fill(gateway.token);
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Asked by user:owner').waitFor();
  await dialog.getByText('"database": "linked"').waitFor();
  await shoot(page, 'approval-link-light');
  await dialog.getByText('Approve', { exact: true }).click();
  expect((await held).status).toBe(200);
  await dialog.getByText('approved by user:owner, and called').waitFor();
  await shoot(page, 'approval-link-decided-light');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  // Signed in, and with what has been decided by now; and with what is not there.
  await page.goto(`${gateway.address}/#approval=${id}`);
  await dialog.getByText('approved by user:owner, and called').waitFor();
  expect(await dialog.getByText('Approve', { exact: true }).count()).toBe(0);
  await dialog.getByLabel('Close').first().click();
  await dialog.waitFor({ state: 'detached' });
  await page.goto(`${gateway.address}/#approval=apr_none`);
  await dialog.getByText(/there is no approval "apr_none".*You are signed in as user:owner/).waitFor();
  await page.reload();
  await dialog.getByText(/there is no approval "apr_none"/).waitFor();
  await context.close();
}, 30_000);

it('somebody sees that their own call waits, and for whom', async () => {
  const people = await createPeople(gateway, ['dev']);
  const context = await browser.newContext({ colorScheme: 'dark', viewport: { width: 1180, height: 760 } });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  await page.goto(await consoleLink({ address: gateway.address, token: people.tokens['dev'] ?? '' }));
  const held = people.api('dev', 'POST', '/calls', {
    ...{ server: 'strict:own', tool: 'deleteCollection', arguments: { database: 'mine' } },
  });
  const list = page.locator('tg-approvals');
  await list.getByText('none waits for you').waitFor();
  await list.getByText('decided by user:carol; never the caller').waitFor();
  await list.getByText(/You cannot decide it: nobody approves their own call/).waitFor();
  await shoot(page, 'approval-own-dark');
  expect((await held).status).toBe(403);
  await context.close();
});
