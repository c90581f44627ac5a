import type { Page } from 'playwright-core';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startOauthProvider } from '../support/oauth-provider.ts';
import { startProtectedServer } from '../support/protected-server.ts';
import { eventually, type Workbench } from './workbench.ts';

/** What a part of the journey works with. */
export interface Traveller {
  readonly workbench: Workbench;
  readonly page: Page;
  /** The workspace's folder. */
  readonly workspace: string;
  readonly step: (name: string, work: () => Promise<void>) => Promise<void>;
  readonly screenshot: (page: Page, name: string) => Promise<void>;
}

/** Tokens are made and revoked, and an access is explained, in the workbench. */
export async function seeAccess({ workbench, page, step, screenshot }: Traveller): Promise<void> {
  await step('a token is made, handed over once, listed and revoked', async () => {
    await workbench.run('Toolgate: New Token');
    await workbench.choose('New Token', 'A person');
    await workbench.answer('New Token', 'laptop', 'What is it for?');
    await workbench.answer('New Token', '', 'Whose is it?');
    await workbench.choose('New Token', '90 days');
    await workbench.question('New Token').getByRole('button', { name: 'OK' }).click();
    await page.locator('.monaco-dialog-box', { hasText: 'nobody can see it later' }).waitFor();
    await screenshot(page, 'vscode-new-token');
    await workbench.accept('Copy Token');
    await page.getByRole('button', { name: 'Tokens Section' }).click();
    const row = workbench.row('laptop, user:owner · expires in 90 days');
    await row.waitFor();
    await screenshot(page, 'vscode-tokens');
    const label = 'laptop, user:owner · expires in 90 days';
    await workbench.menu(label, 'Revoke Token', workbench.dialog());
    await workbench.accept('Revoke');
    await row.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Tokens Section' }).click();
  });

  await step('“Why?” shows each check and opens the rule', async () => {
    await workbench.unfold(/^calculator-mcp/);
    await workbench.unfold('Tools (4)');
    await workbench.menu(/^multiply, /, 'Why?', workbench.question('Why? multiply'));
    await workbench.answer('Why? multiply', '', 'Whom do you ask about?');
    await workbench.answer('Why? multiply', '', 'With which arguments?');
    const answer = workbench.question('user:owner may use');
    await answer.locator('.monaco-list-row').first().waitFor();
    await screenshot(page, 'vscode-why');
    await answer.locator('.monaco-list-row', { hasText: 'unlistedTools' }).first().click();
    await page.locator('.tab', { hasText: 'toolgate.yaml' }).first().waitFor();
  });
}

/** Access is changed in the tree, and the configuration's text says it. */
export async function changeAccess({
  workbench,
  page,
  workspace,
  step,
  screenshot,
}: Traveller): Promise<void> {
  const file = path.join(workspace, 'toolgate.yaml');
  const before = await readFile(file, 'utf8');
  await step('who may use a group, and when a tool, is written into the configuration', async () => {
    await workbench.menu('common, test · 2 servers', 'Access…', workbench.question('Access of common'));
    await workbench.choose('Access of common', 'Who may use it');
    const list = workbench.question('Access of common');
    await list.locator('.monaco-list-row', { hasText: 'everyone' }).click();
    await screenshot(page, 'vscode-access');
    await list.getByRole('button', { name: 'OK' }).click();
    await eventually('the group is open', async () => {
      return (await readFile(file, 'utf8')).includes('everyone') ? true : undefined;
    });
    await workbench.menu(/^multiply, /, 'Access…', workbench.question('Access of multiply'));
    await workbench.choose('Access of multiply', 'Allowed when');
    await workbench.answer('Access of multiply', 'args.a < 100', 'The condition');
    await eventually('the rule is written', async () => {
      const text = await readFile(file, 'utf8');
      return text.includes('args.a < 100') && text.includes('match: multiply') ? true : undefined;
    });
  });
  await writeFile(file, before);
}

/** A server that wants a sign-in says so, and works once the user has signed in in the browser. */
export async function seeSignIn({ workbench, page, workspace, step, screenshot }: Traveller): Promise<void> {
  const provider = await startOauthProvider();
  const server = await startProtectedServer(provider.issuer);
  const file = path.join(workspace, 'toolgate.yaml');
  const before = await readFile(file, 'utf8');
  await step('a server that wants a sign-in says so, and is signed in to in the browser', async () => {
    const entry = `  - name: guarded
    servers:
      - { name: tracker, url: "${server.url}", allowPrivateAddress: true, pins: trust, auth: { type: oauth2 } }
`;
    await writeFile(file, before.replace(/^groups:\n/m, `groups:\n${entry}`));
    await workbench.row('tracker, needs a sign-in').waitFor();
    const toast = workbench.toast('tracker asks you to sign in');
    await toast.waitFor();
    await screenshot(page, 'vscode-needs-sign-in');
    const [opened] = await Promise.all([
      page.context().waitForEvent('page'),
      toast.getByRole('button', { name: 'Sign In' }).click(),
    ]);
    await signInOn(opened);
    await workbench.row('tracker, ready · 4 tools').waitFor();
    await workbench.unfold(/^tracker/);
    await workbench.row(/^Signed in until .*, renewed by itself/).waitFor();
    await screenshot(page, 'vscode-signed-in');
    await workbench.menu(/^Signed in until/, 'Sign Out', workbench.dialog());
    await workbench.accept('Sign Out');
    await workbench.row('tracker, needs a sign-in').waitFor();
  });
  await writeFile(file, before);
  await workbench.row('tracker, needs a sign-in').waitFor({ state: 'detached' });
  server.close();
  await provider.close();
}

/** From the gateway's page to the authorization server's and back, in the window that opened. */
async function signInOn(opened: Page): Promise<void> {
  // This host rewrites addresses of its machine to a path of its own, which a desktop does not.
  await opened.waitForURL(/oauth/);
  const [, port, rest] = /\/proxy\/(\d+)(\/.*)$/.exec(opened.url()) ?? [];
  if (port !== undefined) await opened.goto(`http://127.0.0.1:${port}${rest ?? ''}`);
  await opened.getByRole('link', { name: 'Continue' }).click();
  await opened.getByPlaceholder('Enter any login').fill('ann-there');
  await opened.getByPlaceholder('and password').fill('any');
  await opened.getByRole('button', { name: 'Sign-in' }).click();
  await opened.getByRole('button', { name: 'Continue' }).click();
  await opened.getByRole('heading', { name: /is signed in/ }).waitFor();
  await opened.close();
}
