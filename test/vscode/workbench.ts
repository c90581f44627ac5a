import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator, Page } from 'playwright-core';

const TIMEOUT_MS = 30_000;

/** What a user does in the workbench, and sees. */
export class Workbench {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
    page.setDefaultTimeout(TIMEOUT_MS);
  }

  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await this.page.locator('.monaco-workbench .activitybar').waitFor();
  }

  /** Runs a command by its title in the palette, which opens late while something else takes the focus. */
  async run(title: string): Promise<void> {
    const timeout = 2_000;
    const input = this.page.locator('.quick-input-widget input.input');
    await eventually(`the palette for ${title}`, async () => {
      await this.page.keyboard.press('F1');
      // One that is open looks again only at another text, and commands of extensions come late.
      await input.fill('>', { timeout });
      await input.fill(`>${title}`, { timeout });
      await this.page
        .locator('.quick-input-list .monaco-list-row', { hasText: title })
        .first()
        .click({ timeout });
      return true;
    });
  }

  /**
   * Types into the question with this title, and answers it; over when that question is gone. Of several questions
   * with one title, `prompt` tells which.
   */
  async answer(title: string, text: string, prompt?: string): Promise<void> {
    const shown = this.question(title);
    const question = prompt === undefined ? shown : shown.filter({ hasText: prompt });
    const input = question.locator('input.input');
    await input.fill(text);
    await input.press('Enter');
    await question.waitFor({ state: 'hidden' });
  }

  /**
   * Runs a command that opens a list, and picks a row of it. Does both again when the list went away by itself: as
   * the palette closes it gives the focus back to where it was, a webview takes it late, and a list that loses it
   * closes.
   */
  async pick(command: string, title: string, label: string): Promise<void> {
    const timeout = 3_000;
    const question = this.question(title);
    await eventually(`${label} in the list of ${command}`, async () => {
      await this.run(command);
      await question.locator('input.input').fill(label, { timeout });
      await question
        .locator('.quick-input-list .monaco-list-row', { hasText: label })
        .first()
        .click({ timeout });
      await question.waitFor({ state: 'hidden', timeout });
      return true;
    });
  }

  /**
   * The quick input while it shows this title, or this placeholder where it has no title. There is one for all
   * questions, and a question follows another or the palette late, so that only this tells which of them is there.
   */
  question(title: string): Locator {
    const shown = this.page.locator('.quick-input-title', { hasText: title });
    const inside = this.page.getByPlaceholder(title);
    return this.page.locator('.quick-input-widget:visible', { has: shown.or(inside) });
  }

  /** Picks a row of the list that is open. */
  async choose(title: string, label: string): Promise<void> {
    const question = this.question(title);
    await question.locator('.quick-input-list .monaco-list-row', { hasText: label }).first().click();
  }

  /** The dialog that is open, with this text. */
  dialog(text: string | RegExp = ''): Locator {
    return this.page.locator('.monaco-dialog-box', { hasText: text });
  }

  /** Presses a button of the dialog that is open. */
  async accept(button: string): Promise<void> {
    await this.dialog().getByRole('button', { name: button, exact: true }).click();
  }

  /**
   * Runs an entry of a row's context menu, which then `shows` something; again when it does not: a tree that is read
   * anew in that moment takes the menu away.
   */
  async menu(label: string | RegExp, entry: string, shows: Locator): Promise<void> {
    const timeout = 5_000;
    const item = this.page.locator('.monaco-menu').getByRole('menuitem', { name: entry }).first();
    const act = async (): Promise<void> => {
      await this.row(label).first().click({ button: 'right', timeout });
      // A click so soon after the menu opened is taken for the end of the one that opened it.
      await item.hover({ timeout });
      await this.page.keyboard.press('Enter');
      await item.waitFor({ state: 'detached', timeout });
    };
    await this.until(`${entry} of ${String(label)}`, act, shows);
  }

  /** Does something that `shows` something, until that is there. */
  async until(what: string, act: () => Promise<void>, shows: Locator): Promise<void> {
    await eventually(
      what,
      async () => {
        if (await shows.first().isVisible()) return true;
        await act();
        await shows.first().waitFor({ timeout: 5_000 });
        return true;
      },
      2 * TIMEOUT_MS,
    );
  }

  container(name: string): Locator {
    return this.page.locator('.activitybar .action-item', {
      has: this.page.getByLabel(name, { exact: true }),
    });
  }

  /** A row of a tree view by what a screen reader says of it. */
  row(label: string | RegExp): Locator {
    return this.page.locator('.sidebar .monaco-list-row').and(this.page.getByLabel(label));
  }

  /** Unfolds a row unless it is; again when a tree that was read anew in that moment lost the click. */
  async unfold(label: string | RegExp): Promise<void> {
    const timeout = 3_000;
    const row = this.row(label).first();
    await row.waitFor();
    await eventually(`${String(label)} unfolded`, async () => {
      if ((await row.getAttribute('aria-expanded', { timeout })) === 'false')
        await row.locator('.monaco-tl-twistie').click({ timeout });
      await row.and(this.page.locator('[aria-expanded=true]')).waitFor({ timeout });
      return true;
    });
  }

  statusBarItem(text: string | RegExp): Locator {
    return this.page.locator('.statusbar-item', { hasText: text });
  }

  toast(text: string | RegExp): Locator {
    return this.page.locator('.notifications-toasts .notification-list-item', { hasText: text });
  }
}

/** Asks again while the answer is not yet there, and while asking fails. */
export async function eventually<Value>(
  what: string,
  ask: () => Promise<Value | undefined>,
  timeoutMs = TIMEOUT_MS,
): Promise<Value> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const value = await ask();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    await sleep(100);
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`, { cause: last });
}
