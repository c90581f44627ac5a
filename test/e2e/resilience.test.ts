import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registryViewSchema, type ServerView } from '../../gateway/contract/registry.ts';
import { startFlappingServer, type FlappingServer } from '../support/flapping-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P64 P68 P69 P70 P71 P74 P135 Servers that fail: the server counts the calls that reach it. */
let flapping: FlappingServer;
let steady: FlappingServer;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  flapping = await startFlappingServer();
  steady = await startFlappingServer();
  const servers = [
    'breaks',
    'retried',
    'limited',
    'slow',
    'quiet',
    'dead',
    'erring',
    'crowded',
    'refuses',
    'mixed',
  ];
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
${servers
  .map((name) => {
    const timeouts =
      name === 'slow'
        ? ', timeouts: { call: 300ms }'
        : name === 'quiet'
          ? ', timeouts: { firstByte: 300ms }'
          : '';
    return `      - ${flapping.entry(name, timeouts)}`;
  })
  .join('\n')}
      - ${steady.entry('steady')}
policies:
  resilience:
    - when: { servers: ["g:breaks"] }
      retry: off
      breaker: { failures: 3, window: 1m, cooldown: 700ms }
    - { when: { servers: ["g:retried", "g:limited"] }, retry: { attempts: 2, pause: 20ms, maxPause: 2s } }
    - { when: { servers: ["g:dead"] }, retry: { attempts: 5, pause: 1ms }, breaker: off }
    - { when: { servers: ["g:erring"] }, toolErrors: { failures: 3, cooldown: 1m } }
    - { when: { servers: ["g:crowded"] }, concurrency: 1 }
    - { when: { servers: ["g:refuses"] }, retry: off, breaker: { failures: 2, window: 1m, cooldown: 1m } }
    - { when: { tools: ["g:mixed:write"] }, timeouts: { call: 200ms } }
`,
  });
  people = await createPeople(gateway, ['ann', 'ben']);
});
afterAll(async () => {
  await gateway.stop();
  await flapping.close();
  await steady.close();
});

const call = (server: string, tool = 'read', who = 'ann'): Promise<ApiAnswer> =>
  people.api(who, 'POST', '/calls', { server: `g:${server}`, tool, arguments: {} });
const ruleOf = ({ status, body }: ApiAnswer): unknown => [status, body['rule']];
const viewOf = async (name: string): Promise<ServerView> => {
  const { groups } = registryViewSchema.parse((await people.api('owner', 'GET', '/registry')).body);
  const found = groups[0]?.servers.find((server) => server.name === name);
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
};

describe('the flapping server', () => {
  it('is left in peace, tried with one call, and used again; others are not affected', async () => {
    flapping.moods('breaks');
    for (let count = 0; count < 3; count++) expect((await call('breaks')).status).toBe(502);
    expect(flapping.calls()).toBe(3);
    expect((await viewOf('breaks')).health).toMatchObject({
      circuit: 'open',
      opensAgainAt: expect.any(String) as string,
    });
    const refused = await call('breaks');
    expect(ruleOf(refused)).toEqual([503, 'breaker']);
    expect(String(refused.body['detail'])).toMatch(/left in peace; try again in \d+ s/);
    expect(flapping.calls()).toBe(3);
    for (let count = 0; count < 5; count++) expect((await call('steady')).status).toBe(200);

    await sleep(750);
    flapping.moods('silent', 'well');
    const probe = call('breaks');
    while (flapping.calls() === 0) await sleep(5);
    expect(ruleOf(await call('breaks'))).toEqual([503, 'breaker']);
    expect((await viewOf('breaks')).health?.circuit).toBe('half-open');
    const meanwhile = await Promise.all(Array.from({ length: 20 }, () => call('breaks')));
    expect(meanwhile.map(ruleOf)).toEqual(Array(20).fill([503, 'breaker']));
    expect(flapping.calls()).toBe(1);
    for (let count = 0; count < 5; count++) expect((await call('steady')).status).toBe(200);
    expect((await viewOf('steady')).health).toMatchObject({ circuit: 'closed', retries: 0 });
    await people.api('owner', 'POST', '/registry/refresh');
    expect((await call('breaks')).status).toBe(200);
    expect((await viewOf('breaks')).health?.circuit).toBe('closed');
    void probe.catch(() => undefined);
  });

  it('closes when its trial goes well, and opens again when it does not', async () => {
    flapping.moods('breaks');
    for (let count = 0; count < 3; count++) await call('breaks');
    await sleep(750);
    expect((await call('breaks')).status).toBe(502);
    expect(ruleOf(await call('breaks'))).toEqual([503, 'breaker']);
    expect(flapping.calls()).toBe(4);
    await sleep(1_450);
    flapping.moods('well');
    expect([(await call('breaks')).status, (await call('breaks')).status]).toEqual([200, 200]);
  });

  it('is not kept from others by what it refuses one caller', async () => {
    for (const status of [400, 401, 403, 404, 413, 422]) {
      flapping.moods({ status });
      for (let count = 0; count < 3; count++) expect((await call('refuses', 'write')).status).toBe(502);
      flapping.moods('well');
      expect((await call('refuses', 'write', 'ben')).status).toBe(200);
    }
  });

  it('is not judged by what a tool says, nor by what callers get wrong', async () => {
    flapping.moods('tool-error');
    for (let count = 0; count < 5; count++) await call('breaks', 'read', count % 2 === 0 ? 'ann' : 'ben');
    flapping.moods({ status: 429 });
    for (let count = 0; count < 5; count++) await call('breaks', 'write');
    flapping.moods('well');
    expect((await call('breaks')).status).toBe(200);
  });
});

describe('another try', () => {
  it('is made of what only reads, and recorded', async () => {
    flapping.moods('breaks', { status: 503 }, 'well');
    expect((await call('retried')).status).toBe(200);
    expect(flapping.calls()).toBe(3);
    const { body } = await people.api('owner', 'GET', '/activity?limit=1');
    expect(body['calls']).toMatchObject([{ outcome: 'ok', retries: 2 }]);
    expect((await viewOf('retried')).health).toMatchObject({ retries: 2, circuit: 'closed' });
  });

  it('is not made of a write that may have arrived', async () => {
    flapping.moods('breaks', 'well');
    expect((await call('retried', 'write')).status).toBe(502);
    expect(flapping.calls()).toBe(1);
  });

  it('waits for as long as the server asks, and is left to the caller when that is too long', async () => {
    flapping.moods({ status: 429, headers: { 'retry-after': '1' } }, 'well');
    const began = performance.now();
    expect((await call('limited', 'write')).status).toBe(200);
    expect(performance.now() - began).toBeGreaterThanOrEqual(990);
    flapping.moods({ status: 503, headers: { 'retry-after': '600' } }, 'well');
    const response = await fetch(`${gateway.address}/api/v1/calls`, {
      method: 'POST',
      headers: { authorization: `Bearer ${people.tokens['ann'] ?? ''}`, 'content-type': 'application/json' },
      body: JSON.stringify({ server: 'g:limited', tool: 'read', arguments: {} }),
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual([502, '600']);
    expect(flapping.calls()).toBe(1);
  });

  it('is no more than a share of the calls: a dying server is not hammered', async () => {
    flapping.moods('breaks');
    for (let count = 0; count < 10; count++) await call('dead');
    await Promise.all(Array.from({ length: 40 }, () => call('dead')));
    expect(flapping.calls()).toBeLessThanOrEqual(50 + 3 + 10);
    expect(flapping.calls()).toBeGreaterThan(50);
  });
});

describe('limits of time', () => {
  it.each([
    ['slow', 'timeouts.call', 'no answer within 0.3 s'],
    ['quiet', 'timeouts.firstByte', 'no sign of life within 0.3 s'],
  ])('end a call of %s by %s, in words', async (server, rule, words) => {
    flapping.moods('silent');
    const late = await call(server, 'write');
    expect(ruleOf(late)).toEqual([504, rule]);
    expect(String(late.body['detail'])).toContain(words);
    expect(flapping.calls()).toBe(1);
  });
});

it('a tool can have limits of time of its own, by a policy', async () => {
  flapping.moods('silent');
  const late = await call('mixed', 'write');
  expect(ruleOf(late)).toEqual([504, 'policies.resilience[6].timeouts.call']);
  const patient = await Promise.race([call('mixed', 'read'), sleep(600)]);
  expect(patient).toBeUndefined();
});

describe('a tool that fails again and again', () => {
  it('is kept from that caller, with advice, and from nobody else', async () => {
    flapping.moods('tool-error');
    for (let count = 0; count < 3; count++) expect((await call('erring')).status).toBe(200);
    const kept = await call('erring');
    expect(ruleOf(kept)).toEqual([429, 'tool-errors']);
    expect(String(kept.body['detail'])).toContain('Change the arguments');
    expect(flapping.calls()).toBe(3);
    expect([(await call('erring', 'write')).status, (await call('erring', 'read', 'ben')).status]).toEqual([
      200, 200,
    ]);
  });
});

describe('a crowd', () => {
  it('waits for its turn, sixteen for a place, and no more', async () => {
    flapping.moods('silent');
    const all = Array.from({ length: 19 }, () => call('crowded'));
    const refused = (await Promise.all(all.map((one) => Promise.race([one, sleep(1_500)])))).filter(
      (answer) => answer !== undefined,
    );
    expect(refused.map(ruleOf)).toEqual([
      [503, 'concurrency'],
      [503, 'concurrency'],
    ]);
    expect(flapping.calls()).toBe(1);
    for (const one of all) one.catch(() => undefined);
  });
});
