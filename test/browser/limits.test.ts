import { readFile } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchBrowser, shoot } from '../support/chromium.ts';
import { consoleLink } from '../support/browser-session.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { chunk, DONE, startOpenAiWire, usage, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type People } from '../support/people.ts';

/** P62 P73 P100 What is used of limits is seen in the console, by whom it concerns. */
let browser: Browser;
let gateway: RunningGateway;
let wire: OpenAiWire;
let people: People;

beforeAll(async () => {
  wire = await startOpenAiWire();
  gateway = await startGateway({
    config: `version: 1
models:
  providers: [{ name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [priced], allowPrivateAddress: true }]
  prices: [{ models: ["wire/priced"], input: 100000, output: 200000 }]
  access: [{ models: ["wire/*"], use: [everyone] }]
policies:
  rateLimits:
    - { name: storm, limits: { calls: [5/hour, 50/day] }, per: [principal], when: { subjects: ["user:ann", "user:bob"] } }
    - { name: seats, limits: { concurrency: 1 }, per: [principal], when: { subjects: ["user:gil"] } }
    - { name: by-feature, limits: { calls: 100/day }, per: [metadata.feature], when: { subjects: ["user:eve"] } }
  budgets:
    - { name: finance-month, limits: { cost: 500/month }, when: { subjects: ["user:fay"] } }
    - { name: not-used-yet, limits: { tokens: 2000000/day } , when: { subjects: ["user:nobody"] } }
    - { name: each-day, limits: { tokens: 1000/day }, per: [principal], mode: audit, alerts: [20, 90], when: { subjects: ["user:ann"] } }
`,
  });
  browser = await launchBrowser();
  people = await createPeople(gateway, ['ann', 'bob', 'eve', 'fay', 'gil']);
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
  await wire.close();
});

async function visit(who: string, colorScheme: 'dark' | 'light'): Promise<Page> {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1180, height: 900 } });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const read = page.waitForResponse((response) => response.url().endsWith('/api/v1/limits'));
  await page.goto(await consoleLink({ address: gateway.address, token: people.tokens[who] ?? '' }));
  await read;
  return page;
}

/** A call of a model that takes so many tokens by its provider's word, which comes when `until` resolves. */
async function spend(
  who: string,
  tokens: number,
  { metadata = {}, until }: { metadata?: object; until?: Promise<void> } = {},
): Promise<number> {
  const answer = [chunk({ role: 'assistant', content: 'yes' }), chunk({}, 'stop'), usage(tokens, 0), DONE];
  wire.reply({ steps: until === undefined ? answer : [{ until }, ...answer] });
  const response = await fetch(`${gateway.address}/api/llm/agent/responses`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${people.tokens[who] ?? ''}`,
      'content-type': 'application/json',
      'x-toolgate-metadata': JSON.stringify(metadata),
    },
    body: JSON.stringify({
      ...{ model: 'wire/priced', stream: false, max_tokens: 1 },
      messages: [{ role: 'user', content: 'hi' }],
    }),
  });
  await response.text();
  return response.status;
}
/** As when its window is shown again; it looks by itself every ten seconds. */
const lookAgain = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
const rowOf = (page: Page, policy: string) => page.locator('.limit', { hasText: policy });
const order = (page: Page): Promise<string[]> => page.locator('.limit .row-name').allTextContents();

it('is nothing for somebody who has used nothing, and their own alone once they have', async () => {
  const page = await visit('bob', 'light');
  expect(await page.getByRole('heading', { name: 'Limits' }).count()).toBe(0);
  expect(await spend('fay', 4_120)).toBe(200);
  expect(await spend('bob', 10)).toBe(200);
  // Without loading the page again.
  await page.getByText('1 of 5 calls/hour · user:bob').waitFor();
  expect(await order(page)).toEqual(['storm', 'storm']);
  const meter = page.getByRole('meter', { name: 'storm, calls/hour, user:bob' });
  expect(await meter.getAttribute('aria-valuetext')).toBe('1 of 5 calls/hour, 20 %');
  expect(await meter.evaluate((one: HTMLMeterElement) => [one.value, one.max])).toEqual([1, 5]);
  await page.context().close();
});

it('shows how many calls are under way where those are limited', async () => {
  const page = await visit('gil', 'dark');
  const sent = wire.requests.length;
  let answer = (): void => undefined;
  const until = new Promise<void>((resolve) => (answer = resolve));
  const underWay = spend('gil', 10, { until });
  await expect.poll(() => wire.requests.length, { timeout: 10_000 }).toBe(sent + 1);
  await lookAgain(page);
  await page.getByText('1 of 1 calls at once · user:gil').waitFor();
  await rowOf(page, 'seats').getByText('no place is free').waitFor();
  await shoot(page, 'limits-seats-dark');
  answer();
  expect(await underWay).toBe(200);
  await lookAgain(page);
  await page.getByText('0 of 1 calls at once · user:gil').waitFor();
  await page.context().close();
});

it('says how full each is in words, when there is room again, and keeps each in its place', async () => {
  for (let call = 0; call < 4; call++) expect(await spend('ann', 50)).toBe(200);
  const page = await visit('ann', 'dark');
  await rowOf(page, 'each-day')
    .getByText(/20 % reached; begins anew in\s\d+\s(?:h|min|s)/)
    .waitFor();
  await page.getByText('4 of 5 calls/hour · user:ann').waitFor();
  await rowOf(page, 'storm').getByText('75 % reached').waitFor();
  expect(await order(page)).toEqual(['storm', 'each-day', 'storm']);
  await shoot(page, 'limits-dark');
  expect(await spend('ann', 1_200)).toBe(200);
  expect(await spend('ann', 10)).toBe(429);
  await lookAgain(page);
  await rowOf(page, 'each-day').getByText('used up, refuses nothing; begins anew').waitFor();
  await rowOf(page, 'storm')
    .getByText(/used up; room again in\s\d+\s(?:min|s)/)
    .waitFor();
  await page.getByText('2 used up').waitFor();
  expect(await rowOf(page, 'each-day').locator('.limit-percent').textContent()).toBe('140 %');
  expect(await rowOf(page, 'each-day').getByText('audit', { exact: true }).count()).toBe(1);
  expect(await order(page)).toEqual(['storm', 'each-day', 'storm']);
  await shoot(page, 'limits-full-dark');
  await page.emulateMedia({ colorScheme: 'light' });
  await shoot(page, 'limits-full-light');
  await page.emulateMedia({ colorScheme: 'dark', contrast: 'more' });
  await shoot(page, 'limits-contrast-dark');
  await page.emulateMedia({ forcedColors: 'active', contrast: 'more' });
  await shoot(page, 'limits-forced-colors');
  await page.context().close();
});

it('shows an administrator those of all, a few first, and says how many there are', async () => {
  for (let feature = 0; feature < 24; feature++)
    expect(await spend('eve', 10, { metadata: { feature: `feature-${feature}` } })).toBe(200);
  const page = await visit('owner', 'light');
  await page.getByText('$412 of $500/month · all callers together').waitFor();
  expect(await page.locator('.limit').count()).toBe(5);
  const more = page.getByRole('button', { name: 'and 27 more' });
  await shoot(page, 'limits-many-light');
  await more.click();
  expect(await page.locator('.limit').count()).toBe(32);
  await page.getByText('0 of 2,000,000 tokens/day · all callers together').waitFor();
  await page.getByText('1 of 100 calls/day · feature feature-23').waitFor();
  expect(await rowOf(page, 'not-used-yet').locator('.limit-percent').textContent()).toBe('0 %');
  await rowOf(page, 'not-used-yet').scrollIntoViewIfNeeded();
  await shoot(page, 'limits-all-light');
  await page.getByRole('button', { name: 'Show fewer' }).click();
  expect(await page.locator('.limit').count()).toBe(5);
  await page.context().close();
});

it('is there after the gateway was started anew', async () => {
  await gateway.stop('kept');
  const { configFile, dataDir } = gateway;
  const config = await readFile(configFile, 'utf8');
  gateway = await startGateway({ config, after: { configFile, dataDir } });
  people = { ...people, tokens: { ...people.tokens, owner: gateway.token } };
  const page = await visit('ann', 'dark');
  await page.getByText('5 of 5 calls/hour · user:ann').waitFor();
  await rowOf(page, 'each-day').getByText('1,400 of 1,000 tokens/day').waitFor();
  await page.context().close();
});
