import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P144 P62 What is cut or kept in pages has passed the guards that ask a service, and schemas, as a whole before. */
let server: CountingServer;
let service: Server;
let gateway: RunningGateway;
let people: People;
/** Characters of what the service was shown. */
const shown: number[] = [];

beforeAll(async () => {
  server = await startCountingServer();
  service = createServer((req, res) => {
    let text = '';
    req.on('data', (part: Buffer) => (text += part.toString()));
    req.on('end', () => {
      const { responseBody, input } = JSON.parse(text) as { responseBody?: object; input?: string };
      const said = input ?? JSON.stringify(responseBody);
      shown.push(said.length);
      const bad = said.includes('swordfish');
      const results = [{ flagged: bad, categories: { bad }, category_scores: { bad: bad ? 1 : 0 } }];
      res.end(JSON.stringify(input === undefined ? { verdict: !bad } : { results }));
    });
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const address = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const over = (how: string): string => `, tools: [{ match: "*", result: { maxBytes: 64kB, over: ${how} } }]`;
  const of = (...names: string[]): string =>
    `when: { servers: [${names.map((name) => `"g:${name}"`).join(', ')}] }, hooks: [toolResult]`;
  const to = `url: "${address}", allowPrivateAddress: true, timeout: 20s`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
      - ${server.entry('pages', over('page'))}
      - ${server.entry('cuts', over('truncate'))}
      - ${server.entry('watched', over('page'))}
      - ${server.entry('judged', over('page'))}
      - ${server.entry('shaped', over('page'))}
policies:
  guardrails:
    - { name: ours, kind: webhook, ${of('pages', 'cuts')}, ${to} }
    - { name: watching, kind: webhook, mode: audit, ${of('watched')}, ${to} }
    - { name: nsfw, kind: moderation, ${of('judged')}, apiKey: key, baseUrl: "${address}", allowPrivateAddress: true, timeout: 20s }
    - { name: few, kind: schema, ${of('shaped')}, schema: { properties: { rows: { maxItems: 900 } } } }
`,
  });
  people = await createPeople(gateway, ['ann']);
});
afterAll(async () => {
  await gateway.stop();
  service.close();
  service.closeAllConnections();
  await server.close();
});
beforeEach(() => {
  shown.length = 0;
});

const call = (at: string, args: object): Promise<ApiAnswer> =>
  people.api('ann', 'POST', '/calls', { server: `g:${at}`, tool: 'runAggregation', arguments: args });
const ruled = ({ status, body }: ApiAnswer): unknown => [status, body['rule']];
/** The first piece of a result that is cut. */
const pieceOf = ({ body }: ApiAnswer): string =>
  (body['result'] as { content: { text: string }[] }).content[0]?.text ?? '';
const LONG = '='.repeat(80_000);

it.each([
  ['pages', 'ours'],
  ['cuts', 'ours'],
  ['judged', 'nsfw'],
])('what goes through the edge of a piece is refused (%s, %s)', async (at, rule) => {
  const edge = pieceOf(await call(at, { echo: LONG })).search(/[^=]|$/);
  expect(edge).toBeGreaterThan(10_000);
  const across = (word: string): object => ({ echo: LONG.slice(0, edge - 4) + word + LONG.slice(0, 20_000) });
  const harmless = await call(at, across('herringbone'));
  expect(pieceOf(harmless).slice(0, edge + 4)).not.toContain('herringbone');
  expect(ruled(await call(at, across('swordfish')))).toEqual([422, rule]);
});

it.each([
  ['pages', 1_200_000, 70_000],
  ['judged', 120_000, 70_000],
])('of more than a service takes it is shown the pieces (%s)', async (at, chars, piece) => {
  expect((await call(at, { echo: 'words '.repeat(chars / 6) })).status).toBe(200);
  expect(shown).toHaveLength(1);
  expect(shown[0]).toBeLessThan(piece);
});

it('a guard that only watches is asked once, of the piece', async () => {
  expect((await call('watched', { echo: LONG })).status).toBe(200);
  expect(shown).toHaveLength(1);
});

it('a schema is of the whole', async () => {
  expect(ruled(await call('shaped', { rows: 950 }))).toEqual([422, 'few']);
  expect((await call('shaped', { rows: 850 })).status).toBe(200);
});
