import { createParser } from 'eventsource-parser';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { budgetAlertSchema, type BudgetAlert } from '../../gateway/contract/limits.ts';
import { createAgentClient } from '../support/agent-client.ts';
import { toolgate } from '../support/cli.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type People } from '../support/people.ts';

/** P62 P73 What is spent is told of at its thresholds, to whom it concerns, and shown and begun anew by the program. */
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  wire = await startOpenAiWire();
  gateway = await startGateway({
    config: `version: 1
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [m], allowPrivateAddress: true }
  access: [{ models: ["wire/*"], use: [everyone] }]
policies:
  budgets: [{ name: each-day, limits: { tokens: 1200/day }, per: [principal], alerts: [1, 90] }]
`,
  });
  people = await createPeople(gateway, ['ann', 'bob']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
});

/** What somebody is told of budgets, as it comes. */
async function listen(who: string): Promise<{ alerts: BudgetAlert[]; stop(): void }> {
  const gone = new AbortController();
  const headers = { authorization: `Bearer ${people.tokens[who] ?? ''}` };
  const { body } = await fetch(`${gateway.address}/api/v1/events`, { headers, signal: gone.signal });
  const alerts: BudgetAlert[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => {
      if (event === 'budget') alerts.push(budgetAlertSchema.parse(JSON.parse(data)));
    },
  });
  const decoder = new TextDecoder();
  const read = async (): Promise<void> => {
    for await (const bytes of body ?? []) parser.feed(decoder.decode(bytes, { stream: true }));
  };
  void read().catch(() => undefined);
  return { alerts, stop: () => gone.abort() };
}

const cli = (...args: string[]) =>
  toolgate(['limits', ...args, '--gateway', gateway.address], { TOOLGATE_TOKEN: gateway.token });

it('tells administrators and the person, once, and nobody else', async () => {
  const [owner, ann, bob] = await Promise.all(['owner', 'ann', 'bob'].map(listen));
  wire.otherwise(() => says('hello'));
  const agent = createAgentClient(gateway.address, people.tokens['ann'] ?? '');
  for (let time = 0; time < 2; time++)
    await agent.all({ model: 'wire/m', messages: [{ role: 'user', content: 'hi' }] });
  await vi.waitFor(() => expect([owner?.alerts.length, ann?.alerts.length]).toEqual([1, 1]), 10_000);
  expect(owner?.alerts[0]).toMatchObject({
    ...{ policy: 'each-day', holder: { principal: 'user:ann' }, percent: 1 },
    ...{ unit: 'tokens', limit: '1200/day' },
  });
  expect(bob?.alerts).toEqual([]);
  for (const one of [owner, ann, bob]) one?.stop();
});

it('is listed by the program, and begun anew', async () => {
  const listed = await cli();
  expect(listed.stdout).toMatch(
    /each-day\s+user:ann\s+\d+ tokens\s+1200\/day\s+\d+ tokens\s+\d{4}-\d\d-\d\d/,
  );
  expect((await cli('reset', 'each-day')).stdout).toContain('begin anew');
  expect((await cli()).stdout).toMatch(/each-day\s+user:ann\s+0 tokens/);
  const unknown = await cli('reset', 'nothing');
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('no rate limit or budget')]);
});
