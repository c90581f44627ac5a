import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { budgetWebhookEventSchema, type BudgetWebhookEvent } from '../../gateway/contract/limits.ts';
import { createAgentClient } from '../support/agent-client.ts';
import { toolgate } from '../support/cli.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { chunk, DONE, startOpenAiWire, usage, type OpenAiWire } from '../support/openai-wire.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts';

/** P62 P65 P73 A program is told of what is spent of a budget: signed, once, and at an address it may be told at. */
const SECRET = 'the-secret-of-the-budget';
const env = { HOOK_SECRET: SECRET };
let wire: OpenAiWire;
let gateway: RunningGateway;
/** One that is allowed to be on this machine, and one that is not. */
let open: WebhookReceiver<BudgetWebhookEvent>;
let closed: WebhookReceiver<BudgetWebhookEvent>;

const config = (): string => `version: 1
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [m], allowPrivateAddress: true }
policies:
  budgets:
    - { name: told, limits: { tokens: 1000/month }, per: [principal], alerts: [10, 60, 90], webhook: { url: "${open.url}", secret: "\${env:HOOK_SECRET}", allowPrivateAddress: true } }
    - { name: refused, limits: { tokens: 1000/month }, alerts: [10], mode: audit, webhook: { url: "${closed.url}", secret: "\${env:HOOK_SECRET}" } }
`;

beforeAll(async () => {
  wire = await startOpenAiWire();
  const parse = (body: unknown): BudgetWebhookEvent => budgetWebhookEventSchema.parse(body);
  open = await startWebhookReceiver(SECRET, parse);
  closed = await startWebhookReceiver(SECRET, parse);
  gateway = await startGateway({ config: config(), env });
});
afterAll(async () => {
  await gateway.stop();
  await Promise.all([wire.close(), open.close(), closed.close()]);
});

/** A call that takes so many tokens by its provider's word. Resolves with the status. */
async function spend(tokens: number): Promise<number> {
  wire.reply({
    steps: [chunk({ role: 'assistant', content: 'yes' }), chunk({}, 'stop'), usage(tokens - 1, 1), DONE],
  });
  const agent = createAgentClient(gateway.address, gateway.token);
  const messages = [{ role: 'user', content: 'hi' }];
  const { response } = await agent.post({ model: 'wire/m', stream: false, max_tokens: 1, messages });
  await response.text();
  return response.status;
}
const percents = (): number[] => open.told.map(({ event }) => event.percent);

it('is told, signed, and again where it failed; no call waits for it', async () => {
  open.answer(503);
  expect(await spend(150)).toBe(200);
  await vi.waitFor(() => expect(open.told).toHaveLength(2), 15_000);
  expect(open.told[0]).toEqual({
    signed: true,
    event: {
      ...{ type: 'budget.reached', policy: 'told', mode: 'enforce', holder: { principal: 'user:owner' } },
      ...{ percent: 10, unit: 'tokens', used: 150, amount: 1000, limit: '1000/month' },
      resetsAt: expect.any(Number),
    },
  });
  const { resetsAt } = open.told[0]!.event;
  expect(new Date(resetsAt!).toISOString()).toMatch(/-01T00:00:00\.000Z$/);
  expect(resetsAt).toBeGreaterThan(Date.now());
  expect(open.told[1]).toEqual(open.told[0]);

  // It never answers, and the call that reached the threshold is over all the same.
  open.answer('held');
  expect(await spend(500)).toBe(200);
  await vi.waitFor(() => expect(percents()).toEqual([10, 10, 60]), 15_000);
});

it('is not told at an address of this machine that nobody allowed, which the log says without what is secret', async () => {
  const line = await vi.waitFor(() => {
    const found = gateway
      .output()
      .split('\n')
      .find((one) => one.includes('the webhook of a budget was not told'));
    if (found === undefined) throw new Error('it is not given up yet');
    return found;
  }, 25_000);
  expect(line).toContain('"budget":"refused"');
  expect(line).toContain('allowPrivateAddress');
  expect(closed.told).toEqual([]);
  for (const secret of [SECRET, 'of-nobody-else']) expect(gateway.output()).not.toContain(secret);
});

it('is told of a threshold once, also over a restart', async () => {
  const before = open.told.length;
  await gateway.stop('kept');
  gateway = await startGateway({ config: config(), env, after: gateway });
  expect(await spend(100)).toBe(200);
  expect(await spend(160)).toBe(200);
  await vi.waitFor(() => expect(percents().slice(before)).toEqual([90]), 15_000);
  expect(open.told.every(({ signed }) => signed)).toBe(true);
});

it('a webhook that could not work is an error that says where', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-test-'));
  const file = join(folder, 'toolgate.yaml');
  const validate = async (budget: string): Promise<string> => {
    await writeFile(
      file,
      `version: 1\npolicies: { budgets: [{ name: b, limits: { cost: 5/day }, ${budget} }] }\n`,
    );
    const { code, stderr, stdout } = await toolgate(['validate', '--config', file]);
    expect(code).not.toBe(0);
    return stderr + stdout;
  };
  const hook = (secret: string): string =>
    `webhook: { url: "https://bot.example.com/b", secret: "${secret}" }`;
  expect(await validate(hook('${env:NOBODY_SET_IT}'))).toMatch(/policies\.budgets b.*NOBODY_SET_IT/s);
  expect(await validate(hook('as it is'))).toMatch(/webhook\.secret.*write a reference/s);
  expect(await validate(`alerts: [], ${hook('${env:HOME}')}`)).toMatch(/alerts.*never be told/s);
  await rm(folder, { recursive: true });
});
