import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CALLBACK_PATH } from '../../gateway/contract/sign-in.ts';
import { newTokenSchema } from '../../gateway/contract/tokens.ts';
import { launchBrowser, shoot } from '../support/chromium.ts';
import { codeOf, consoleLink, TestBrowser } from '../support/browser-session.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { startOpenIdProvider, type OpenIdProvider } from '../support/openid-provider.ts';
import { freePort } from '../support/ports.ts';

let browser: Browser;
let provider: OpenIdProvider;
let gateway: RunningGateway;
let alone: RunningGateway;

beforeAll(async () => {
  const port = await freePort();
  const redirect = `http://127.0.0.1:${port}${CALLBACK_PATH}/corp`;
  provider = await startOpenIdProvider(
    { fay: { email: 'fay@example.com' }, dan: { email: 'dan@example.com' } },
    300,
    {
      clients: [{ client_id: 'console', token_endpoint_auth_method: 'none', redirect_uris: [redirect] }],
    },
  );
  const models = 'models: { providers: [{ name: demo, type: demo }] }';
  gateway = await startGateway({
    args: ['--port', String(port)],
    config: `version: 1
subjects:
  users: [{ name: "dan@example.com", disabled: true }]
  oidc:
    - { issuer: "${provider.issuer}", audience: toolgate, claims: { user: email }, console: { name: corp, clientId: console }, allowPrivateAddress: true }
${models}
`,
  });
  alone = await startGateway({ config: `version: 1\n${models}\n` });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
  await Promise.all([gateway.stop(), alone.stop(), provider.close()]);
});

async function open(address: string, colorScheme: 'dark' | 'light' = 'dark', width = 1100): Promise<Page> {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 760 } });
  context.setDefaultTimeout(10_000);
  // The provider's test pages ask for a font.
  await context.route(/googleapis/, (route) => route.abort());
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

const shot = (page: Page, name: string): Promise<unknown> => shoot(page, `sign-in-${name}`);
const person = (page: Page): Promise<string> =>
  page
    .locator('.person')
    .innerText()
    .then((text) => text.replace(/\s+/g, ' ').trim());
const cookiesOf = async (context: BrowserContext): Promise<string[]> =>
  (await context.cookies(gateway.address)).map(({ name }) => name.replace(/\d+/, 'PORT'));

async function atProvider(page: Page, name: string): Promise<void> {
  await page.getByPlaceholder('Enter any login').fill(name);
  await page.getByPlaceholder('and password').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

it('signs in at the provider, shows who is signed in, and signs out', async () => {
  const page = await open(gateway.address);
  await page.getByRole('heading', { name: 'Sign in to Toolgate' }).waitFor();
  await shot(page, 'issuer');
  // By keyboard alone.
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await atProvider(page, 'fay');
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  expect(page.url()).toBe(`${gateway.address}/`);
  expect(await person(page)).toBe('Signed in as user:fay@example.com');
  await shot(page, 'signed-in');
  const scripts = await page.evaluate(() => [document.cookie, ...Object.values(sessionStorage)].join('\n'));
  expect(scripts).not.toContain('toolgate-');
  expect(await cookiesOf(page.context())).toContain('toolgate-PORT-sign-in');

  await page.getByRole('textbox', { name: 'Message' }).fill('a secret draft');
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Toolgate' }).waitFor();
  expect(await cookiesOf(page.context())).not.toContain('toolgate-PORT-sign-in');
  expect(await page.evaluate(() => localStorage.length + sessionStorage.length)).toBe(0);
  await page.goto(await consoleLink(gateway));
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  expect(await person(page)).toBe('Signed in as user:owner administrator');
  expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('');
});

it('says why a sign-in failed, and a token in an address is not taken', async () => {
  const page = await open(gateway.address, 'light');
  await page.route(/sign-in\/issuers/, (route) => route.abort());
  await page.getByRole('button', { name: 'Sign in with corp' }).click();
  await page.getByRole('alert').getByText('does not answer').waitFor();
  await page.unroute(/sign-in\/issuers/);
  await page.getByRole('button', { name: 'Sign in with corp' }).click();
  await atProvider(page, 'dan');
  await page.getByRole('alert').getByText('does not let you in').waitFor();
  expect(page.url()).toBe(`${gateway.address}/`);
  await shot(page, 'refused-light');
  await page.goto(`${gateway.address}/#token=${gateway.token}`);
  await page.getByText('so it is not taken there').waitFor();
  expect(page.url()).toBe(`${gateway.address}/`);
});

it('without a provider explains the link, and takes a token', async () => {
  const page = await open(alone.address);
  await page.getByText('toolgate console').waitFor();
  await shot(page, 'link-dark');
  await page.getByLabel('Token').fill('tg_pat_wrong');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('the token is unknown').waitFor();
  await page.getByLabel('Token').fill(alone.token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  const kept = await page.evaluate(() =>
    [localStorage, sessionStorage].flatMap((store) => Object.values(store) as unknown[]).join(),
  );
  expect(kept).not.toContain('tg_pat_');
  const light = await open(alone.address, 'light', 420);
  await light.getByText('toolgate console').waitFor();
  await shot(light, 'link-light-narrow');
  expect(await light.evaluate(() => document.documentElement.scrollWidth)).toBe(420);
});

it('a link that was used says so; one that comes while somebody is signed in waits for their word', async () => {
  const link = await consoleLink(alone);
  await new TestBrowser(alone.address).signIn({ code: codeOf(link) });
  const page = await open(link);
  await page.getByRole('alert').getByText('was used already').waitFor();
  await page.goto(await consoleLink(alone));
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  const second = await consoleLink(alone);
  await page.goto(second);
  await page.getByRole('button', { name: 'Use the link' }).waitFor();
  await shot(page, 'link-waits');
  await page.getByRole('button', { name: 'Stay signed in' }).click();
  await page.getByRole('button', { name: 'Use the link' }).waitFor({ state: 'hidden' });
  // It was not spent.
  expect((await new TestBrowser(alone.address).signIn({ code: codeOf(second) })).status).toBe(200);
});

it('a link of another person empties the tab of what the one before left', async () => {
  const page = await open(await consoleLink(alone));
  await page.getByRole('textbox', { name: 'Message' }).fill('a draft of the owner');
  const made = await fetch(`${alone.address}/api/v1/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${alone.token}` },
    body: JSON.stringify({ name: 'gus', subject: 'user:gus@example.com' }),
  });
  const { token } = newTokenSchema.parse(await made.json());
  await page.goto(await consoleLink({ ...alone, token }));
  await page.getByRole('button', { name: 'Use the link' }).click();
  await page.locator('.person', { hasText: 'user:gus@example.com' }).waitFor();
  expect(await page.getByRole('textbox', { name: 'Message' }).inputValue()).toBe('');
});

it('a page whose sign-in was ended elsewhere says so, and shows nothing of before', async () => {
  const page = await open(await consoleLink(alone));
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  const tab = await page.context().newPage();
  await tab.goto(alone.address);
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Toolgate' }).waitFor({ timeout: 15_000 });
  expect(await page.getByRole('textbox', { name: 'Message' }).count()).toBe(0);
});
