import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask as askModern } from '../support/modern.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P144 P62 What is large, cut in pieces, a key, a number or called data is guarded like any other text. */
let server: CountingServer;
let gateway: RunningGateway;
let people: People;
const KEY = 'AKIAIOSFODNN7EXAMPLE';
/** Characters of a page of 64 kB. */
const PAGE = 57_781;

/** Nothing is found by any of them, and each reads all of a text: far more than there is time for. */
const SLOW = Array.from({ length: 60 }, (_, at) => `{ pattern: "(x*y*z*w*)*v${at}v" }`).join(', ');

beforeAll(async () => {
  server = await startCountingServer();
  const over = (how: string): string => `, tools: [{ match: "*", result: { maxBytes: 64kB, over: ${how} } }]`;
  const only = (...names: string[]): string =>
    `when: { servers: [${names.map((name) => `"g:${name}"`).join(', ')}] }`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
      - ${server.entry('pages', over('page'))}
      - ${server.entry('kept', over('page'))}
      - ${server.entry('cuts', over('truncate'))}
      - ${server.entry('plain')}
      - ${server.entry('masks')}
      - ${server.entry('slow')}
      - ${server.entry('lax')}
      - ${server.entry('free')}
policies:
  guardrails:
    - { name: mail, kind: pii, ${only('masks')}, hooks: [toolArguments, toolResult], operation: mutate, entities: [email, creditCard] }
    - { name: paged, kind: pii, ${only('pages')}, hooks: [toolResult], operation: mutate, entities: [email] }
    - { name: keys, kind: secrets, ${only('kept', 'cuts')}, hooks: [toolResult], entropy: false }
    - { name: people, kind: pii, ${only('plain')}, hooks: [toolArguments] }
    - { name: slow, kind: regex, ${only('slow')}, hooks: [toolResult], patterns: [${SLOW}], timeout: 100ms }
    - { name: lax, kind: regex, ${only('lax')}, hooks: [toolResult], patterns: [${SLOW}], timeout: 100ms, mode: enforce-but-ignore-errors }
`,
  });
  people = await createPeople(gateway, ['ann']);
});
afterAll(async () => {
  await gateway.stop();
  await server.close();
});
beforeEach(() => server.clear());

const call = (at: string, args: object, tool = 'runAggregation'): Promise<ApiAnswer> =>
  people.api('ann', 'POST', '/calls', { server: `g:${at}`, tool, arguments: args });
const ruled = ({ status, body }: ApiAnswer): unknown => [status, body['rule']];
const textOf = ({ body }: ApiAnswer): string =>
  (body['result'] as { content: { text: string }[] }).content.map(({ text }) => text).join('\n');

describe('what goes through the edge of a page', () => {
  it('is masked in both pages', async () => {
    const echo = `${'='.repeat(PAGE - 9)}ann.miller@example.com${'='.repeat(20_000)}`;
    const first = textOf(await call('pages', { echo }));
    const reference = /"reference":"(res_[0-9a-f]+)"/.exec(first)?.[1] ?? '';
    const ann = { address: gateway.address, token: people.tokens['ann'] ?? '' };
    const params = { name: 'toolgate__read_result', arguments: { reference, page: 2 } };
    const { result } = await askModern(ann, '/mcp/g', 'tools/call', params);
    const second = (result as { content: { text: string }[] }).content[0]?.text ?? '';
    expect(second).toMatch(/={1000}/);
    expect(first.slice(0, PAGE) + second).toContain('[EMAIL]=');
    expect(first + second).not.toMatch(/ann|miller|example/);
  });

  it('is refused as a whole, and nothing is kept', async () => {
    const echo = `${'='.repeat(PAGE - 10)}${KEY}${'='.repeat(20_000)}`;
    expect(ruled(await call('kept', { echo }))).toEqual([422, 'keys']);
    expect(ruled(await call('cuts', { echo }))).toEqual([422, 'keys']);
    expect((await call('cuts', { echo: echo.replace(KEY, '') })).status).toBe(200);
  });

  it('is not half a character or word', async () => {
    const words = Array.from({ length: 9_000 }, (_, at) => `wörd-${at}-😀`).join(' ');
    const pages = [textOf(await call('pages', { echo: words }))];
    const reference = /"reference":"(res_[0-9a-f]+)"/.exec(pages[0] ?? '')?.[1] ?? '';
    const count = Number(/of (\d+)/.exec(pages[0] ?? '')?.[1]);
    const ann = { address: gateway.address, token: people.tokens['ann'] ?? '' };
    for (let page = 2; page <= count; page++) {
      const params = { name: 'toolgate__read_result', arguments: { reference, page } };
      const { result } = await askModern(ann, '/mcp/g', 'tools/call', params);
      pages.push((result as { content: { text: string }[] }).content[0]?.text ?? '');
    }
    const whole = pages.map((page) => page.replace(/\n\[Page [^]*$/, ''));
    expect(whole.length).toBeGreaterThan(1);
    for (const page of whole) expect(page).toMatch(/^wörd-\d+-😀/);
    expect(whole.join('')).toBe(words);
  });
});

describe('no place of arguments is passed over', () => {
  it.each([
    ['a text called data', { data: 'mail ann@example.com' }],
    [
      'what looks like an image',
      { content: [{ type: 'image', mimeType: 'image/png', data: '4111111111111111' }] },
    ],
    ['a key', { names: { 'ann@example.com': 1 } }],
    ['a number', { card: 4111111111111111 }],
  ])('%s', async (_what, args) => {
    expect(ruled(await call('plain', args))).toEqual([422, 'people']);
    expect(server.seen).toEqual([]);
  });

  it('and each is masked', async () => {
    const args = { note: { data: 'ann@example.com', 'ben@example.com': 4111111111111111 } };
    expect((await call('masks', args)).status).toBe(200);
    expect(server.seen[0]?.args).toEqual({ note: { data: '[EMAIL]', '[EMAIL]': '[CREDIT_CARD]' } });
  });

  it('what no longer fits the schema is refused', async () => {
    const refused = await call('masks', { rows: 4111111111111111 });
    expect(ruled(refused)).toEqual([400, 'input-schema']);
    expect(JSON.stringify(refused.body)).not.toContain('4111111111111111');
    expect(server.seen).toEqual([]);
  });
});

describe('a result of five megabytes', () => {
  it('is guarded while others are answered', async () => {
    await call('slow', { rows: 800 });
    const large = call('masks', { rows: 45_000 });
    const work = { open: true };
    void large.finally(() => (work.open = false));
    let answered = 0;
    while (work.open) {
      expect((await call('free', { echo: 'x' })).status).toBe(200);
      answered++;
    }
    expect((await large).status).toBe(200);
    expect(answered).toBeGreaterThan(2);
  });

  it('that a guard does not get through in time ends as its mode says', async () => {
    const late = await call('slow', { rows: 45_000 });
    expect(ruled(late)).toEqual([422, 'slow']);
    expect(String(late.body['detail'])).toContain('no answer within 100 ms');
    expect((await call('lax', { rows: 45_000 })).status).toBe(200);
    expect((await call('slow', { echo: 'small' })).status).toBe(200);
  });
});
