import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { consoleLink } from '../support/browser-session.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';

/** P65 P146 P163 P164 Calls that wait for approval, decided in the console. */
const SCREENSHOTS = join(ROOT, 'out/screenshots');
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
];
let browser: Browser;
let gateway: RunningGateway;
let database: CountingServer;
let wire: OpenAiWire;

beforeAll(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  database = await startCountingServer();
  wire = await startOpenAiWire();
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: prod
    approvals: [{ tools: ["@destructive"], fourEyes: false, wait: 20s, reason: "It cannot be undone." }]
    servers: [${database.entry('mongo')}]
models: { providers: [{ name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [gpt-test], allowPrivateAddress: true }] }
`,
  });
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
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
const shoot = (page: Page, name: string): Promise<unknown> =>
  page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });

it('a run pauses in the conversation, and goes on when it is approved there', async () => {
  const page = await visit('dark');
  await page.getByRole('checkbox', { name: /Server mongo, ready/ }).check();
  const diff = '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new';
  const args = JSON.stringify({ database: 'prod', diff });
  wire.reply(calls([{ id: 'c', name: 'mongo__deleteCollection', arguments: args }]), says('It is gone.'));
  await page.getByRole('textbox', { name: /message/i }).fill('Delete it.');
  await page.keyboard.press('Enter');
  const card = page.locator('tg-approval');
  await card.getByText('waits for approval by who manages it').waitFor();
  await card.getByText('It cannot be undone.').click();
  await card.getByText('"database": "prod"').waitFor();
  await shoot(page, 'approval-run-dark');
  expect(database.seen).toEqual([]);
  await card.getByText('Approve', { exact: true }).click();
  await page.getByText('It is gone.', { exact: true }).waitFor();
  await card.getByText('was approved by user:owner').waitFor();
  expect(database.seen).toHaveLength(1);
  await page.context().close();
});

it('calls of others are listed beside it, and can be denied', async () => {
  const page = await visit('light');
  database.clear();
  const held = fetch(`${gateway.address}/api/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      server: 'prod:mongo',
      tool: 'deleteCollection',
      arguments: { database: 'other' },
    }),
  });
  await page.getByText('1 waiting').waitFor();
  await shoot(page, 'approval-list-light');
  await page.locator('tg-approvals').getByText('Deny', { exact: true }).click();
  expect((await held).status).toBe(403);
  await expect.poll(() => page.locator('tg-approvals section').count()).toBe(0);
  expect(database.seen).toEqual([]);
  await page.context().close();
});
