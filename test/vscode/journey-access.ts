import type { Page } from 'playwright-core';
import type { Workbench } from './workbench.ts';

/** What a part of the journey works with. */
export interface Traveller {
  readonly workbench: Workbench;
  readonly page: Page;
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
    await workbench.menu('laptop, user:owner · expires in 90 days', 'Revoke Token');
    await workbench.accept('Revoke');
    await row.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Tokens Section' }).click();
  });

  await step('“Why?” shows each check and opens the rule', async () => {
    await workbench.unfold(/^calculator-mcp/);
    await workbench.unfold('Tools (4)');
    await workbench.menu(/^multiply, /, 'Why?');
    await workbench.answer('Why? multiply', '', 'Whom do you ask about?');
    await workbench.answer('Why? multiply', '', 'With which arguments?');
    const answer = workbench.question('user:owner may use');
    await answer.locator('.monaco-list-row').first().waitFor();
    await screenshot(page, 'vscode-why');
    await answer.locator('.monaco-list-row', { hasText: 'unlistedTools' }).first().click();
    await page.locator('.tab', { hasText: 'toolgate.yaml' }).first().waitFor();
  });
}
