import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchBrowser, shoot } from '../support/chromium.ts';
import { consoleLink } from '../support/browser-session.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { keyedServer, type Keyed } from '../support/keyed-server.ts';
import { startOauthProvider, type OauthProvider } from '../support/oauth-provider.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { startProtectedServer, type ProtectedServer } from '../support/protected-server.ts';

/** P100 P102 What servers ask a person for, given in the console: signed in to at a real authorization server. */
let browser: Browser;
let gateway: RunningGateway;
let provider: OauthProvider;
let server: ProtectedServer;
let keyed: Keyed;
let wire: OpenAiWire;
let stopKeyed = (): void => undefined;

beforeAll(async () => {
  provider = await startOauthProvider();
  server = await startProtectedServer(provider.issuer);
  keyed = await keyedServer((stop) => (stopKeyed = stop));
  wire = await startOpenAiWire();
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: team
    servers:
      - { name: tracker, url: "${server.url}", allowPrivateAddress: true, pins: trust, auth: { type: oauth2 } }
      - { name: models, url: "${keyed.url}", allowPrivateAddress: true, pins: trust, auth: { type: header, perUser: true, headers: { x-key: "{{API_KEY}}" } } }
models: { providers: [{ name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [gpt-test], allowPrivateAddress: true }] }
`,
  });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await gateway.stop();
  server.close();
  stopKeyed();
  await wire.close();
  await provider.close();
});

async function visit(colorScheme: 'dark' | 'light'): Promise<Page> {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1180, height: 760 } });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  await page.goto(await consoleLink(gateway));
  await page.getByRole('heading', { name: 'Credentials' }).waitFor();
  return page;
}

/** From the gateway's page to the authorization server's, and to the end. */
async function signInOn(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: 'Continue' }).click();
  await page.getByPlaceholder('Enter any login').fill(name);
  await page.getByPlaceholder('and password').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('heading', { name: /is signed in/ }).waitFor();
}

it('signs in, renews and signs out', async () => {
  const page = await visit('dark');
  await shoot(page, 'credentials-dark');
  const [opened] = await Promise.all([
    page.context().waitForEvent('page'),
    page.getByRole('button', { name: 'Sign in: tracker' }).click(),
  ]);
  await opened.getByRole('heading', { name: 'Sign in to team:tracker' }).waitFor();
  await shoot(opened, 'consent-dark');
  expect(await opened.getByText('user:owner').count()).toBeGreaterThan(0);
  await signInOn(opened, 'ann-there');
  await shoot(opened, 'consent-done-dark');
  await opened.close();
  const line = page.locator('.credential', { hasText: 'tracker' });
  await line.getByText(/Signed in until .*, renewed by itself/).waitFor();
  await page.getByRole('button', { name: 'Renew: tracker' }).click();
  await expect.poll(() => provider.grants.filter((grant) => grant === 'refresh_token').length).toBe(1);
  await shoot(page, 'credentials-signed-in-dark');

  await page.getByRole('button', { name: 'Sign out: tracker' }).click();
  await line.getByText('Sign out of it?').waitFor();
  await line.getByText('Keep', { exact: true }).click();
  expect(provider.revoked()).toBe(0);
  await page.getByRole('button', { name: 'Sign out: tracker' }).click();
  await line.getByRole('group').getByText('Sign out', { exact: true }).click();
  await line.getByText('Asks for a sign-in.').waitFor();
  expect(provider.revoked()).toBe(1);
  await page.context().close();
});

it('takes a key, and says when it has all', async () => {
  const page = await visit('light');
  await page.getByRole('button', { name: 'Fill in: models' }).click();
  await shoot(page, 'credentials-values-light');
  await page.getByLabel('API_KEY').fill('a-key-of-mine');
  await page.keyboard.press('Enter');
  const line = page.locator('.credential', { hasText: 'models' });
  await line.getByText('Has all it asks you for.').waitFor();
  await expect.poll(() => keyed.seen.some((headers) => headers['x-key'] === 'a-key-of-mine')).toBe(true);
  await page.context().close();
});

it('a run that lacks a sign-in asks for it in the conversation, and goes on', async () => {
  const headers = { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' };
  const other = await browser.newContext();
  const first = await other.newPage();
  // Somebody has been there before, so that its tools are known.
  const asked = await fetch(`${gateway.address}/api/v1/credentials/team/tracker/authorize`, {
    method: 'POST',
    headers,
  });
  await first.goto(((await asked.json()) as { url: string }).url);
  await signInOn(first, 'ann-there');
  await other.close();
  const page = await visit('light');
  await page.getByRole('checkbox', { name: /Server tracker, ready/ }).check();
  await fetch(`${gateway.address}/api/v1/credentials/team/tracker`, { method: 'DELETE', headers });
  wire.reply(
    calls([{ id: 'call_1', name: 'tracker__whoami', arguments: '{}' }]),
    says('You are known there.'),
  );
  await page.getByRole('textbox', { name: /message/i }).fill('Who am I there?');
  await page.keyboard.press('Enter');
  await page.getByText('tracker asks you to sign in').waitFor();
  await shoot(page, 'run-sign-in-light');
  const [opened] = await Promise.all([
    page.context().waitForEvent('page'),
    page.locator('.sign-in').getByText('Sign in', { exact: true }).click(),
  ]);
  await signInOn(opened, 'ann-there');
  await shoot(opened, 'consent-done-light');
  await page.getByText('You are known there.', { exact: true }).waitFor();
  await page.getByText('You signed in to tracker').waitFor();
  await page.context().close();
});
