import assert from 'node:assert/strict';
import { approvalListSchema } from '../../gateway/contract/approvals.ts';
import type { Traveller } from './journey-access.ts';
import { eventually } from './workbench.ts';

/** Where the gateway is, and a token of its owner. */
interface Access {
  readonly address: string;
  readonly token: string;
}

const DIFF = '--- a/x.txt\n+++ b/x.txt\n@@ -1,3 +1,3 @@\n same\n-old line\n+new line\n end';

/** Calls that wait are decided where they are looked at: in the title of the editor. */
export async function decideCalls(traveller: Traveller, access: () => Promise<Access>): Promise<void> {
  const { workbench, page, step, screenshot } = traveller;
  await step('P164 a call is approved in the title of its diff, which closes', async () => {
    const held = call(await access(), `ask: first\n${DIFF}`);
    await workbench
      .toast(/wants to run echo/)
      .getByRole('button', { name: 'Show' })
      .click();
    await page.locator('.monaco-diff-editor').getByText('new line').waitFor();
    await page.locator('.pane-header', { hasText: 'Approvals' }).waitFor();
    await title(traveller, 'Approve').waitFor();
    await title(traveller, 'Approve for').waitFor();
    await title(traveller, 'Deny').waitFor();
    await screenshot(page, 'vscode-approval-diff-light');
    await title(traveller, 'Show Arguments of Approval').click();
    await page.locator('.editor-instance').getByText('"message"').waitFor();
    const tabs = page.locator('.tab', { hasText: /echo · everything-mcp · [0-9a-f]{6}/ });
    await tabs.waitFor();
    await screenshot(page, 'vscode-approval-arguments-light');
    await title(traveller, 'Approve').click();
    assert.equal((await held).status, 200);
    await tabs.waitFor({ state: 'detached' });
  });
  await step('P164 a call is approved, and another denied with a reason, in its notification', async () => {
    const toast = workbench.toast(/user:owner wants to run echo on .*:everything-mcp\. It says so\./);
    const approved = call(await access(), 'ask: from its notification');
    await toast.getByRole('button', { name: 'Approve' }).click();
    assert.equal((await approved).status, 200);
    const denied = call(await access(), 'ask: not from its notification');
    await toast.getByRole('button', { name: 'Deny' }).click();
    await workbench.answer('Deny: user:owner wants to run echo', 'Ask Ada first.');
    const answer = await denied;
    assert.equal(answer.status, 403);
    assert.match(await answer.text(), /denied by user:owner: Ask Ada first\./);
  });
}

/** What was decided elsewhere is told in words, and offers no buttons. */
export async function comeTooLate(traveller: Traveller, access: () => Promise<Access>): Promise<void> {
  const { workbench, page, step, screenshot } = traveller;
  await step('a call that was decided elsewhere is told so to who comes late', async () => {
    const { address, token } = await access();
    const held = call({ address, token }, 'ask: second');
    const toast = workbench.toast(/wants to run echo/);
    await toast.waitFor();
    await workbench.pick('Toolgate: Show Approval', 'Which call?', 'wants to run echo');
    await page.locator('.editor-instance').getByText('"message"').waitFor();
    await title(traveller, 'Deny').waitFor();
    await screenshot(page, 'vscode-approval-text-dark');
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const id = await eventually('the id', async () => {
      const answer = await fetch(`${address}/api/v1/approvals`, { headers });
      return approvalListSchema.parse(await answer.json()).approvals[0]?.id;
    });
    const body = JSON.stringify({ reason: 'Not today.' });
    await fetch(`${address}/api/v1/approvals/${id}/deny`, { method: 'POST', headers, body });
    assert.equal((await held).status, 403);
    await title(traveller, 'Deny').waitFor({ state: 'detached' });
    await page.locator('.editor-instance').getByText('denied by user:owner').waitFor();
    await toast.getByRole('button', { name: 'Approve' }).click();
    await workbench.toast(/it has been decided already \(denied by user:owner\)/).waitFor();
    await screenshot(page, 'vscode-approval-late-dark');
    await page.keyboard.press('Escape');
    await workbench.run('View: Close Editor');
  });
}

function title({ page }: Traveller, name: string): ReturnType<Traveller['page']['locator']> {
  return page
    .locator('.editor-actions')
    .getByRole('button', { name, exact: !name.endsWith('for') && name !== 'Deny' })
    .first();
}

function call({ address, token }: Access, message: string): Promise<Response> {
  return fetch(`${address}/api/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ server: 'common:everything-mcp', tool: 'echo', arguments: { message } }),
  });
}
