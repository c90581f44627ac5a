import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { approvalGrantListSchema } from '../../gateway/contract/approvals.ts';
import { createApprover } from '../support/approver.ts';
import { consoleLink } from '../support/browser-session.ts';
import { launchBrowser, shoot } from '../support/chromium.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type People } from '../support/people.ts';

/** P65 P146 What was let stand is seen in the console, and taken back there. */
let browser: Browser;
let gateway: RunningGateway;
let database: CountingServer;
let people: People;

beforeAll(async () => {
  database = await startCountingServer();
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: prod
    access: { use: [everyone] }
    approvals: [{ tools: ["*"], approvers: ["user:carol"], wait: 300ms, reason: "Carol wants to know." }]
    servers: [${database.entry('mongo')}]
`,
  });
  people = await createPeople(gateway, ['dev', 'eve', 'carol']);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
  await database.close();
});

const { decide, waitFor } = createApprover(() => people);
const call = (who: string, name: string, tool = 'deleteCollection') =>
  people.api(who, 'POST', '/calls', { server: 'prod:mongo', tool, arguments: { database: name } });
/** Lets calls of somebody stand, by carol's word. */
async function letStand(who: string, name: string, tool?: string): Promise<void> {
  await call(who, name, tool);
  await decide('carol', (await waitFor('carol', name)).id, 'approve', { scope: { minutes: 15 } });
}

async function visit(who: string, colorScheme: 'dark' | 'light'): Promise<Page> {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1180, height: 760 } });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  await page.goto(await consoleLink({ address: gateway.address, token: people.tokens[who] ?? '' }));
  return page;
}
const standing = (page: Page): Locator => page.getByRole('region', { name: /^Standing approvals/ });
const status = (page: Page): Locator => page.locator('tg-grants').getByRole('status');
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => document.activeElement?.ariaLabel ?? document.activeElement?.textContent.trim() ?? '');

const focusOn = (page: Page, label: string): Promise<void> =>
  expect.poll(() => focused(page), { timeout: 10_000 }).toBe(label);

async function connect(who: string): Promise<{ client: Client; transport: StreamableHTTPClientTransport }> {
  const client = new Client({ name: 'client', version: '1' });
  const requestInit = { headers: { authorization: `Bearer ${people.tokens[who] ?? ''}` } };
  const url = new URL(`${gateway.address}/mcp/prod/mongo`);
  const transport = new StreamableHTTPClientTransport(url, { requestInit });
  await client.connect(transport);
  return { client, transport };
}

describe('standing approvals', () => {
  it('are shown as they come, are used and end; nothing is shown while there is none', async () => {
    const page = await visit('carol', 'light');
    await page.getByText('Iteration limit').waitFor();
    expect(await standing(page).count()).toBe(0);
    const { client, transport } = await connect('dev');
    const remove = (name: string) =>
      client.callTool({ name: 'deleteCollection', arguments: { database: name } });
    await remove('session');
    await decide('carol', (await waitFor('carol', 'session')).id, 'approve', { scope: 'session' });
    const row = standing(page).getByRole('listitem');
    await row.getByText('For user:dev, by user:carol · until its session ends · not used yet').waitFor();
    await expect.poll(() => status(page).textContent(), { timeout: 10_000 }).toBe('1 standing approval.');
    await remove('session');
    await remove('another');
    await row.getByText(/used once/).waitFor();
    await transport.terminateSession();
    await standing(page).waitFor({ state: 'detached' });
    expect(await status(page).textContent()).toBe('None is left.');
    await client.close();
    await page.context().close();
  }, 30_000);

  it('are taken back by keyboard once that was asked, and the focus stays with them', async () => {
    await letStand('dev', 'first');
    await letStand('eve', 'second');
    const page = await visit('carol', 'dark');
    const list = standing(page);
    await list.getByText(/^For user:eve, by user:carol · 1[45] min left/).waitFor();
    await shoot(page, 'grants-dark');
    const button = list.getByRole('button', { name: 'Revoke: deleteCollection for user:dev' });
    await button.focus();
    await page.keyboard.press('Enter');
    await list.getByRole('group', { name: /^Revoke it\?/ }).waitFor();
    await focusOn(page, 'Revoke');
    await shoot(page, 'grants-asked-dark');
    await page.keyboard.press('Escape');
    await focusOn(page, 'Revoke: deleteCollection for user:dev');
    expect((await call('dev', 'passes')).status).toBe(200);
    await page.keyboard.press('Enter');
    await focusOn(page, 'Revoke');
    await page.keyboard.press('Enter');
    await focusOn(page, 'Revoke: deleteCollection for user:eve');
    const words = 'deleteCollection for user:dev was revoked.';
    expect(await status(page).textContent()).toBe(`${words} 1 standing approval.`);
    expect((await call('dev', 'asked again')).status).toBe(403);
    await decide('carol', (await waitFor('carol', 'asked again')).id, 'deny');
    for (let press = 0; press < 2; press++) await page.keyboard.press('Enter');
    await list.getByText('deleteCollection for user:eve was revoked.').waitFor();
    await focusOn(page, 'Standing approvals');
    await shoot(page, 'grants-none-left-dark');
    await page.context().close();
  }, 30_000);

  it('that were revoked elsewhere meanwhile are told of in words', async () => {
    await letStand('dev', 'elsewhere', 'runAggregation');
    const page = await visit('dev', 'light');
    const list = standing(page);
    await list.getByRole('button', { name: 'Revoke: runAggregation for user:dev' }).click();
    await shoot(page, 'grants-asked-light');
    // The page hears of it from its own request: what it lists stays as it was.
    await page.route(/approval-grants$/, (route) => route.abort());
    const { grants } = approvalGrantListSchema.parse(
      (await people.api('dev', 'GET', '/approval-grants')).body,
    );
    const headers = { authorization: `Bearer ${people.tokens['carol'] ?? ''}` };
    for (const { id } of grants)
      await fetch(`${gateway.address}/api/v1/approval-grants/${id}`, { method: 'DELETE', headers });
    await list.getByRole('group').getByText('Revoke', { exact: true }).click();
    await list.getByText(/did not stand any more: it ended, or somebody else revoked it\./).waitFor();
    await shoot(page, 'grants-gone-light');
    await page.context().close();
  }, 30_000);

  it('cannot be given for a session that ends while the approver looks, who is told so', async () => {
    const { client, transport } = await connect('dev');
    await client.callTool({ name: 'runAggregation', arguments: { database: 'ending' } });
    const { id } = await waitFor('carol', 'ending');
    const page = await visit('carol', 'light');
    const row = page.locator('tg-approvals').getByRole('listitem');
    const howLong = row.getByRole('combobox', { name: 'For how long' });
    await howLong.selectOption({ label: 'the tool, for this session' });
    await transport.terminateSession();
    await row.getByText(/^The session is over by now/).waitFor();
    await vi.waitFor(async () =>
      expect(await howLong.evaluate((select: HTMLSelectElement) => select.selectedOptions[0]?.text)).toBe(
        'this call',
      ),
    );
    await shoot(page, 'grants-session-over-light');
    await row.getByText('Approve', { exact: true }).click();
    await row.getByText('approved by user:carol').waitFor();
    expect((await people.api('carol', 'GET', `/approvals/${id}`)).body).toMatchObject({
      decision: { scope: 'once' },
    });
    await client.close();
    await page.context().close();
  }, 30_000);
});
