import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { startCountingServer } from '../support/counting-server.ts';
import { startGateway } from '../support/gateway.ts';
import { startOpenIdProvider } from '../support/openid-provider.ts';
import { launchBrowser } from '../support/chromium.ts';
import { openWindow } from './browser.ts';
import { installHost } from './hosts.ts';
import { freePort, makeDataDir, removeDataDir, startServer } from './server.ts';
import { eventually, Workbench } from './workbench.ts';

/**
 * `node test/vscode/run-oauth.ts`: VS Code's own MCP client, without our extension, is given the address of a group of a
 * headless gateway, and nothing else. It finds the OpenID provider, registers, lets the person sign in there, and lists
 * the tools that this person may use. Prints `N passed, N failed` last.
 */

const ROOT = path.resolve(import.meta.dirname, '../..');
const SCREENSHOTS = path.join(ROOT, 'out/screenshots');
const SERVER = 'toolgate-data';
const TIMEOUT_MS = 150_000;

const timer = setTimeout(() => {
  console.error(`It did not end within ${TIMEOUT_MS} ms`);
  console.log('0 passed, 1 failed');
  process.exit(1);
}, TIMEOUT_MS);

const host = await installHost('newest');
const dataDir = makeDataDir();
const workspace = path.join(dataDir, 'workspace');
const port = await freePort();
const people = {
  fay: { email: 'fay@example.com', realm: { roles: ['finance'] } },
};
// VS Code throws a token away that is good for five minutes or less, unless it can be refreshed.
const provider = await startOpenIdProvider(people, 3_600, { clients: [], scopes: ['tools:use'] });
const database = await startCountingServer();
const gateway = await startGateway({
  args: ['--port', String(port)],
  config: `version: 1
subjects:
  oidc:
    - issuer: "${provider.issuer}"
      audience: "http://127.0.0.1:${port}/mcp"
      requiredScopes: ["tools:use"]
      claims: { user: email, teams: realm.roles }
      allowPrivateAddress: true
groups:
  - name: data
    access: { use: ["team:finance"] }
    servers: [${database.entry('mongo')}]
  - name: hr
    servers: [${database.entry('vault')}]
`,
});
await mkdir(SCREENSHOTS, { recursive: true });
await mkdir(path.join(workspace, '.vscode'), { recursive: true });
const servers = { [SERVER]: { type: 'http', url: `${gateway.address}/mcp/data` } };
await writeFile(path.join(workspace, '.vscode/mcp.json'), JSON.stringify({ servers }));
const server = await startServer({ host, dataDir });
const browser = await launchBrowser();
const page = await openWindow(browser);
const workbench = new Workbench(page);
let failed = 0;
try {
  await signIn();
  console.log(
    "  ✔ VS Code's own MCP client signs its person in at the provider it is told of, and lists their tools",
  );
} catch (error) {
  failed = 1;
  console.error(error);
  await page.screenshot({ path: path.join(SCREENSHOTS, 'vscode-oauth-failure.png') });
} finally {
  await browser.close();
  server.stop();
  await gateway.stop();
  await Promise.all([provider.close(), database.close()]);
}
if (failed === 0) await removeDataDir(dataDir);
else console.error(`Logs: ${dataDir}`);
clearTimeout(timer);
console.log(`${1 - failed} passed, ${failed} failed`);
process.exit(failed);

async function signIn(): Promise<void> {
  await standInForCodeServer(page);
  await workbench.open(server.url(workspace));
  const consent = page.locator('.monaco-dialog-box');
  // Until the extension host of the server is there, VS Code starts no MCP server and says nothing.
  await eventually('the question whether the server may authenticate', async () => {
    if (await consent.isVisible()) return true;
    await act('Start Server');
    await consent.waitFor({ timeout: 5_000 });
    return true;
  });
  assert.match(await consent.innerText(), new RegExp(`${SERVER}.*Toolgate`));
  await page.screenshot({ path: path.join(SCREENSHOTS, 'vscode-oauth-consent.png') });
  const opened = page.context().waitForEvent('page');
  await consent.getByRole('button', { name: 'Allow' }).click();
  await atProvider(await opened);

  await page.bringToFront();
  await act('Show Output');
  await page.locator('.view-lines').getByText('Discovered 3 tools').waitFor();
  await page.screenshot({ path: path.join(SCREENSHOTS, 'vscode-oauth-tools.png') });
}

/** An entry of the menu that VS Code has for each MCP server. */
async function act(what: string): Promise<void> {
  await workbench.pick('MCP: List Servers', 'Select an MCP Server', SERVER);
  await page
    .locator('.quick-input-list .monaco-list-row', { hasText: what })
    .first()
    .click({ timeout: 5_000 });
}

async function atProvider(tab: Page): Promise<void> {
  const back = tab.waitForRequest(/^https:\/\/vscode\.dev\/redirect\?/);
  await tab.getByPlaceholder('Enter any login').fill('fay');
  await tab.getByPlaceholder('and password').fill('any');
  await tab.getByRole('button', { name: 'Sign-in' }).click();
  await tab.getByRole('button', { name: 'Continue' }).click();
  // In a tab of its own: that one is busy with failing to load the address.
  const callback = await tab.context().newPage();
  await callback.goto(callbackOf((await back).url()));
}

/**
 * What the page at vscode.dev does, which a machine without the Internet cannot reach: it hands the provider's answer
 * on to the window that `state` names.
 */
function callbackOf(answer: string): string {
  const given = new URL(answer).searchParams;
  const callback = new URL(decodeURIComponent(given.get('state') ?? ''));
  const query = new URLSearchParams(callback.searchParams.get('vscode-query') ?? '');
  query.set('code', given.get('code') ?? '');
  callback.searchParams.set('vscode-query', query.toString());
  return callback.href;
}

/** Its front server passes on what is asked of ports of this machine; here the browser asks there itself. */
async function standInForCodeServer(window: Page): Promise<void> {
  await window.context().route(/\/proxy\/\d+\//, (route) => {
    const { pathname, search } = new URL(route.request().url());
    const [, to = '', rest = ''] = /^\/proxy\/(\d+)(\/.*)$/.exec(pathname) ?? [];
    return route.fulfill({ status: 302, headers: { location: `http://127.0.0.1:${to}${rest}${search}` } });
  });
  // The provider's test pages ask for a font.
  await window.context().route(/googleapis/, (route) => route.abort());
}
