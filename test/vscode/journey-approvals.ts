import assert from 'node:assert/strict';
import { approvalGrantListSchema, approvalListSchema } from '../../gateway/contract/approvals.ts';
import type { Traveller } from './journey-access.ts';
import { eventually } from './workbench.ts';

/** Where the gateway is, and a token of its owner. */
interface Access {
  readonly address: string;
  readonly token: string;
}

const DIFF = '--- a/x.txt\n+++ b/x.txt\n@@ -1,3 +1,3 @@\n same\n-old line\n+new line\n end';

/** Calls that wait are decided where they are looked at: in the title of the editor. What stands is taken back. */
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
  await revokeStanding(traveller, access);
}

const STANDING = /^Standing approval: echo on \S+:everything-mcp for user:owner, \d+ min left, /;
const REVOKE = 'Revoke the standing approval of echo for user:owner?';

/** What stands is listed below what waits, and taken back there. */
async function revokeStanding(traveller: Traveller, access: () => Promise<Access>): Promise<void> {
  const { workbench, page, step, screenshot } = traveller;
  await step('P146 what was approved for a while is listed, and revoked by its menu', async () => {
    const { address, token } = await access();
    await letStand(traveller, { address, token });
    assert.equal((await call({ address, token }, 'ask: passes')).status, 200);
    await workbench.row(/^Standing approval: .*, used once$/).waitFor();
    await workbench.row('Standing approvals, 1').waitFor();
    await screenshot(page, 'vscode-grants-light');
    const asked = workbench.dialog(REVOKE);
    await workbench.menu(STANDING, 'Revoke Standing Approval', asked);
    await screenshot(page, 'vscode-grants-asked-light');
    await page.keyboard.press('Escape');
    await asked.waitFor({ state: 'detached' });
    await workbench.menu(STANDING, 'Revoke Standing Approval', asked);
    await workbench.accept('Revoke');
    await workbench.row(STANDING).waitFor({ state: 'detached' });
    await workbench.row(/^Standing approvals/).waitFor({ state: 'detached' });
    assert.deepEqual(await standing({ address, token }), []);
  });
}

/** What somebody else revoked first is told in words. */
async function revokeTooLate(traveller: Traveller, access: () => Promise<Access>): Promise<void> {
  const { workbench, page, step, screenshot } = traveller;
  await step('P146 a standing approval that was revoked elsewhere is told so to who comes late', async () => {
    const { address, token } = await access();
    await letStand(traveller, { address, token });
    const row = workbench.row(STANDING);
    await screenshot(page, 'vscode-grants-dark');
    const inline = async (): Promise<void> => {
      await row.hover();
      await row.getByRole('button', { name: 'Revoke Standing Approval' }).click({ timeout: 3_000 });
    };
    await workbench.until('its button asks', inline, workbench.dialog(REVOKE));
    for (const id of await standing({ address, token }))
      await fetch(`${address}/api/v1/approval-grants/${id}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      });
    await workbench.accept('Revoke');
    const toast = workbench.toast(/it does not stand any more\. It ended, or somebody else revoked it\./);
    await toast.waitFor();
    await row.waitFor({ state: 'detached' });
    await screenshot(page, 'vscode-grants-gone-dark');
    await workbench.run('Notifications: Clear All Notifications');
    await toast.waitFor({ state: 'detached' });
  });
}

/** Lets calls stand for a while by the button in the editor's title. */
async function letStand(traveller: Traveller, access: Access): Promise<void> {
  const { workbench } = traveller;
  const held = call(access, 'ask: for a while');
  await workbench
    .toast(/wants to run echo/)
    .getByRole('button', { name: 'Show' })
    .click();
  const ask = () => title(traveller, 'Approve for').click();
  const question = 'Approve echo of user:owner';
  await workbench.until('for how long', ask, workbench.question(question));
  await workbench.choose(question, '15 minutes');
  assert.equal((await held).status, 200);
  await workbench.run('Toolgate: Focus on Approvals View');
  await workbench.row(STANDING).waitFor();
}

/** What stands at the gateway, by its ids. */
async function standing({ address, token }: Access): Promise<string[]> {
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${address}/api/v1/approval-grants`, { headers });
  return approvalGrantListSchema.parse(await answer.json()).grants.map(({ id }) => id);
}

/** What was decided or revoked elsewhere is told in words, and offers no buttons. */
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
  await revokeTooLate(traveller, access);
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
