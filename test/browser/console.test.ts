import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, shoot } from '../support/chromium.ts';
import { consoleLink } from '../support/browser-session.ts';
import { CALCULATOR, configOf, EVERYTHING } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import {
  calls,
  chunk,
  DONE,
  says,
  startOpenAiWire,
  usage,
  type OpenAiWire,
  type WireReply,
  type WireRequest,
} from '../support/openai-wire.ts';
import { freePort } from '../support/ports.ts';

const SUM = 'Add 2 and 3, then multiply the result by 4';

let browser: Browser;
let gateway: RunningGateway;
let wire: OpenAiWire;

beforeAll(async () => {
  wire = await startOpenAiWire();
  chat(() => says('Hello.'));
  const servers = { common: [CALCULATOR(await freePort()), EVERYTHING] };
  const scripted = `{ name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", allowPrivateAddress: true }`;
  const config = configOf(servers).replace(/(providers: \[.*?)\]/, `$1, ${scripted}]`);
  gateway = await startGateway({ config });
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser.close();
  await gateway.stop();
  await wire.close();
});

/** A page, and all that its browser complained of: console errors, exceptions, violations of its policy. */
interface Visit {
  readonly page: Page;
  readonly complaints: string[];
}

async function visit(address: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({
    colorScheme: 'dark',
    viewport: { width: 1280, height: 860 },
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(address);
  return { page, complaints };
}

const signedIn = (): Promise<string> => consoleLink(gateway);

/** What the scripted provider answers a chat with; its list of models has one. */
function chat(answer: (request: WireRequest) => WireReply): void {
  const models = {
    object: 'list',
    data: [{ id: 'gpt-test', object: 'model', created: 1, owned_by: 'wire' }],
  };
  wire.otherwise((request) =>
    request.path.endsWith('/models') ? { status: 200, body: models } : answer(request),
  );
}

async function visitSignedIn(options: BrowserContextOptions = {}): Promise<Visit> {
  const opened = await visit(await signedIn(), options);
  await opened.page.getByRole('checkbox', { name: /^Server calculator-mcp, ready, 4 tools/ }).waitFor();
  return opened;
}

async function tick(page: Page, name: RegExp): Promise<void> {
  await page.getByRole('checkbox', { name }).click();
}

/** Chooses the scripted provider's model from the list. */
async function chooseWire(page: Page): Promise<void> {
  await page.getByRole('combobox', { name: 'Model' }).fill('gpt');
  await page.getByRole('option', { name: 'wire/gpt-test' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
}

async function send(page: Page, message: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Message' }).fill(message);
  await page.keyboard.press('Enter');
}

const card = (page: Page, tool: string): Locator =>
  page.getByRole('region', { name: new RegExp(`^Tool call ${tool} of`) });

async function ended(page: Page, word: string): Promise<Record<string, string>> {
  const footer = page.locator('tg-run-footer').last().locator('.footer');
  await footer.getByText(word, { exact: true }).waitFor();
  const numbers = await footer
    .locator('.numbers > div')
    .evaluateAll((all) => all.map((pair) => [...pair.children].map((child) => child.textContent)));
  return Object.fromEntries(numbers) as Record<string, string>;
}

describe('signing in', () => {
  it('takes the link’s code out of the address at once, and lasts over a reload and in another tab', async () => {
    const { page, complaints } = await visitSignedIn();
    expect(page.url()).toBe(`${gateway.address}/`);
    expect(await page.evaluate(() => history.length)).toBe(2);
    await page.reload();
    await page.getByRole('checkbox', { name: /^Server everything-mcp/ }).waitFor();
    const tab = await page.context().newPage();
    await tab.goto(gateway.address);
    await tab.getByRole('checkbox', { name: /^Server everything-mcp/ }).waitFor();
    expect(complaints).toEqual([]);
  });
});

describe('a run', () => {
  it('P88 P131 shows each step of the loop: calls with arguments and results, the answer, the numbers', async () => {
    const { page, complaints } = await visitSignedIn();
    await shoot(page, 'console-start');
    await page.getByRole('button', { name: SUM }).click();
    await expect
      .poll(() => page.getByRole('checkbox', { name: /^Server calculator-mcp/ }).isChecked())
      .toBe(true);
    await page.getByRole('textbox', { name: 'Message' }).press('Enter');
    const numbers = await ended(page, 'Completed');
    const texts = async (tool: string): Promise<string[]> => card(page, tool).locator('pre').allInnerTexts();
    expect(await texts('add')).toEqual(['{ "a": 2, "b": 3 }', '5']);
    expect(await texts('multiply')).toEqual(['{ "a": 5, "b": 4 }', '20']);
    expect(await page.locator('tg-markdown').last().innerText()).toContain('20');
    expect(numbers).toMatchObject({ iterations: '3', 'tool calls': '2' });
    for (const time of ['total', 'first token']) expect(numbers[time]).toMatch(/^[\d.]+ m?s$/);
    for (const tokens of ['tokens in', 'tokens out']) expect(numbers[tokens]).toMatch(/^[1-9][\d,]*$/);
    await shoot(page, 'console-run');
    expect(complaints).toEqual([]);
  });

  it('P128 shows arguments while they arrive, and P129 the result once the tool has answered', async () => {
    let goOn: (value?: unknown) => void = () => undefined;
    const rest = new Promise((resolve) => (goOn = resolve));
    chat((request) => {
      if (request.body.messages?.at(-1)?.role === 'tool') return says('It is ', '**5**.');
      const name = request.body.tools?.find((tool) => tool.function.name.endsWith('add'))?.function.name;
      const piece = (text: string) => chunk({ tool_calls: [{ index: 0, function: { arguments: text } }] });
      const start = { index: 0, id: 'call_1', type: 'function', function: { name, arguments: '' } };
      const steps = [chunk({ role: 'assistant', tool_calls: [start] }), piece('{"a": 2,'), { until: rest }];
      return { steps: [...steps, piece('"b": 3}'), chunk({}, 'tool_calls'), usage(20, 7), DONE] };
    });
    const { page, complaints } = await visitSignedIn();
    await chooseWire(page);
    await tick(page, /^Server calculator-mcp/);
    await send(page, 'Add 2 and 3');
    await card(page, 'add').getByText('arguments arriving').waitFor();
    await expect.poll(() => card(page, 'add').locator('pre').allInnerTexts()).toEqual(['{ "a": 2, ']);
    goOn();
    await ended(page, 'Completed');
    expect(await card(page, 'add').locator('pre').allInnerTexts()).toEqual(['{ "a": 2, "b": 3 }', '5']);
    expect(await page.locator('tg-markdown').innerHTML()).toContain('<strong>5</strong>');
    expect(complaints).toEqual([]);
  });

  it('continues the conversation, and begins a new one when asked to', async () => {
    chat(() => says('Noted.'));
    const { page } = await visitSignedIn();
    await chooseWire(page);
    await send(page, 'My name is Ada');
    await ended(page, 'Completed');
    await send(page, 'What is it?');
    await page.getByRole('article').nth(1).getByText('Completed').waitFor();
    const roles = () =>
      wire.requests.at(-1)?.body.messages?.map(({ role, content }) => `${role}: ${String(content)}`);
    expect(roles()).toEqual(['user: My name is Ada', 'assistant: Noted.', 'user: What is it?']);
    await page.getByRole('button', { name: 'New conversation' }).click();
    await send(page, 'And now?');
    await ended(page, 'Completed');
    expect(roles()).toEqual(['user: And now?']);
  });

  it('stops at once when asked to, at the gateway and at the provider too', async () => {
    const before = wire.aborted();
    let goOn: (value?: unknown) => void = () => undefined;
    const rest = new Promise((resolve) => (goOn = resolve));
    chat(() => ({ steps: [chunk({ content: 'Let me think' }), { until: rest }, DONE] }));
    const { page, complaints } = await visitSignedIn();
    await chooseWire(page);
    await send(page, 'Take your time');
    await page.getByText('Let me think').waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await ended(page, 'Cancelled');
    await expect.poll(() => wire.aborted(), { timeout: 5_000 }).toBe(before + 1);
    goOn();
    await page.getByRole('button', { name: 'Run' }).waitFor();
    expect(complaints).toEqual([]);
  });

  it('says in words what failed, and sends the message again when asked to', async () => {
    chat(() => ({
      status: 401,
      body: { error: { message: 'Incorrect API key', type: 'x', code: null, param: null } },
    }));
    const { page } = await visitSignedIn();
    await chooseWire(page);
    await send(page, 'Hello');
    await ended(page, 'Failed');
    expect(await page.getByRole('alert').innerText()).toMatch(/wire/);
    chat(() => says('Hello to you'));
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('Hello to you', { exact: true }).waitFor();
    expect(await page.getByRole('article').count()).toBe(1);
  });

  it('P124 P125 sends exactly the tools that are ticked, and shows a failed tool as a result', async () => {
    chat((request) => {
      if (request.body.messages?.at(-1)?.role === 'tool') return says('It cannot be divided.');
      const [tool] = request.body.tools ?? [];
      const args = '{"a": 1, "b": 0}';
      return calls([{ id: 'call_1', name: tool?.function.name ?? '', arguments: args }]);
    });
    const { page } = await visitSignedIn();
    await chooseWire(page);
    await page.getByRole('button', { name: 'Unfold calculator-mcp' }).click();
    await tick(page, /^Tool divide$/);
    expect(
      await page
        .getByRole('checkbox', { name: /^Group common/ })
        .evaluate((box) => (box as HTMLInputElement).indeterminate),
    ).toBe(true);
    await send(page, 'Divide 1 by 0');
    await ended(page, 'Completed');
    expect(wire.requests.at(-1)?.body.tools).toHaveLength(1);
    expect(await card(page, 'divide').getAttribute('aria-label')).toMatch(/: error$/);
  });
});

describe('the API code snippet', () => {
  it('P115 copies the current request in each language, and gives the focus back', async () => {
    const { page, complaints } = await visitSignedIn();
    await tick(page, /^Server calculator-mcp/);
    await page.getByRole('textbox', { name: 'Message' }).fill(SUM);
    const button = page.getByRole('button', { name: 'API code snippet' });
    await button.click();
    const dialog = page.getByRole('dialog', { name: 'API code snippet' });
    for (const language of ['Python', 'JavaScript', 'cURL']) {
      await dialog.getByRole('tab', { name: language }).click();
      await dialog.getByRole('button', { name: `Copy ${language} snippet` }).click();
      await dialog.getByRole('button', { name: 'Copied' }).waitFor();
      const copied = await page.evaluate(() => navigator.clipboard.readText());
      for (const part of [
        `${gateway.address}/api/llm/agent/responses`,
        'toolgate:common:calculator-mcp',
        SUM,
      ]) {
        expect(copied).toContain(part);
      }
      expect(copied).not.toContain(gateway.token);
    }
    await shoot(page, 'console-snippet');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    expect(await button.evaluate((element) => element.matches(':focus, :focus-within'))).toBe(true);
    expect(complaints).toEqual([]);
  });
});

describe('the page', () => {
  it('can be used by the keyboard alone', async () => {
    const { page, complaints } = await visitSignedIn();
    const reach = async (selector: string, key: string): Promise<void> => {
      for (let presses = 0; presses < 60; presses += 1) {
        if (
          await page
            .locator(selector)
            .first()
            .evaluate((element) => element.matches(':focus'))
        )
          return;
        await page.keyboard.press(key);
      }
      throw new Error(`${key} does not reach ${selector}`);
    };
    await reach('[aria-label^="Server everything-mcp"]', 'Shift+Tab');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowRight');
    await page.getByRole('checkbox', { name: 'Tool add', exact: true }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Space');
    expect(await page.getByRole('checkbox', { name: 'Tool add', exact: true }).isChecked()).toBe(true);
    await reach('#prompt', 'Tab');
    await page.keyboard.type('Add 20 and 22');
    await page.keyboard.press('Enter');
    await ended(page, 'Completed');
    expect(await card(page, 'add').locator('pre').last().innerText()).toBe('42');
    await reach('.card-head', 'Shift+Tab');
    await page.keyboard.press('Enter');
    expect(await card(page, 'add').locator('pre').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  it('is whole in light and narrow too', async () => {
    const { page, complaints } = await visit(await signedIn(), {
      colorScheme: 'light',
      viewport: { width: 600, height: 800 },
    });
    await page.getByRole('button', { name: SUM }).click();
    await page.getByRole('button', { name: 'Run' }).click();
    await ended(page, 'Completed');
    await shoot(page, 'console-narrow-light');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(600);
    await page.getByRole('button', { name: 'Show the setup' }).click();
    await page.getByRole('combobox', { name: 'Model' }).click();
    await page.getByRole('option', { name: /demo\/planner/ }).waitFor();
    await shoot(page, 'console-narrow-setup');
    expect(complaints).toEqual([]);
  });

  it('says what to do when there are no servers, and when the gateway is gone', async () => {
    const lonely = await startGateway({ config: configOf({}) });
    const { page } = await visit(await consoleLink(lonely));
    await page.getByText('There are no servers yet').waitFor();
    await shoot(page, 'console-no-servers');
    await lonely.stop();
    await page.getByText('does not answer').first().waitFor();
    await shoot(page, 'console-gone');
  });
});
