import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newTokenSchema } from '../../gateway/contract/tokens.ts';
import { createAgentClient, gather, type RunEvent } from '../support/agent-client.ts';
import { stepsOf } from '../support/agent-setup.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startFlappingServer, type FlappingServer } from '../support/flapping-server.ts';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { calls, says, startOpenAiWire, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';
import { buildWithout, stageLines, type StageLine } from '../support/without-stage.ts';

/** P114 Every stage of the pipelines is missed when its line is taken out: each has a question that only it answers well. */
let server: CountingServer;
let flapping: FlappingServer;
let wire: OpenAiWire;
let folder: string;
const lines = await stageLines();

beforeAll(async () => {
  server = await startCountingServer();
  flapping = await startFlappingServer();
  wire = await startOpenAiWire();
  folder = await mkdtemp(join(ROOT, 'out-stages-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await wire.close();
  await flapping.close();
  await server.close();
});

const config = (): string => `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
      - ${server.entry('plain', ', tools: [{ match: deleteCollection, effect: deny }]')}
      - ${server.entry('limited')}
      - ${server.entry('guarded')}
      - ${server.entry('bounded', ', tools: [{ match: "*", arguments: { maxBytes: 100B } }]')}
      - ${server.entry('asked')}
      - ${server.entry('kept')}
      - ${flapping.entry('slow', ', timeouts: { call: 300ms }')}
      - ${flapping.entry('flaky')}
      - { name: signed, url: "http://127.0.0.1:9/mcp", allowPrivateAddress: true, auth: { type: oauth2, authorizationUrl: "http://127.0.0.1:9/a", tokenUrl: "http://127.0.0.1:9/t", clientId: x } }
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [big, spent, masked], allowPrivateAddress: true }
  access: [{ models: ["wire/*"], use: [everyone] }]
policies:
  rateLimits:
    - { name: once, when: { servers: ["g:limited"] }, limits: { calls: 1/hour } }
    - { name: none, when: { models: ["wire/spent"] }, limits: { tokens: 1/hour } }
  guardrails:
    - { name: words, kind: regex, when: { servers: ["g:guarded"] }, hooks: [toolArguments], patterns: [{ pattern: "secret plan" }] }
    - { name: mail, kind: pii, when: { models: ["wire/masked"] }, hooks: [modelInput], operation: mutate, entities: [email] }
  approvals: [{ name: asked, when: { servers: ["g:asked"] }, approvers: ["user:nobody"], wait: 100ms }]
  cache: [{ when: { servers: ["g:kept"] }, ttl: 1h }]
  resilience: [{ when: { servers: ["g:flaky"] }, retry: { attempts: 1, pause: 1ms } }]
`;

/** What a question needs. */
interface World {
  readonly people: People;
  readonly gateway: RunningGateway;
  call(at: string, args?: object, tool?: string): Promise<ApiAnswer>;
  run(model: string, more?: object): Promise<RunEvent[] | number>;
}

const READ = 'listCollections';
const recorded = async ({ people }: World, kind: string): Promise<boolean> =>
  JSON.stringify((await people.api('owner', 'GET', '/activity?limit=50')).body).includes(`"kind":"${kind}"`);

/** By the stage: true when all is as it should be. */
const QUESTIONS: Record<string, (world: World) => Promise<boolean>> = {
  recordStage: async (world) => {
    await world.call('plain');
    return recorded(world, 'tool');
  },
  authenticate: async ({ people, gateway }) => {
    // The token is revoked while the model thinks; the perimeter cannot see that.
    const { body } = await people.api('owner', 'POST', '/tokens', { name: 'brief', subject: 'user:brief' });
    const { token, view } = newTokenSchema.parse(body);
    let goOn = (): void => undefined;
    const until = new Promise<void>((resolve) => (goOn = resolve));
    wire.requests.length = 0;
    wire.reply({ steps: [{ until }, ...LIST] });
    const agent = createAgentClient(gateway.address, token);
    const run = agent.all({
      ...{ model: 'wire/big', messages: [{ role: 'user', content: 'go' }] },
      mcp_servers: [{ integration_fqn: 'g:plain' }],
    });
    while (wire.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const headers = { authorization: `Bearer ${gateway.token}` };
    await fetch(`${gateway.address}/api/v1/tokens/${view.id}`, { method: 'DELETE', headers });
    goOn();
    const { results } = gather(await run);
    return server.seen.length === 0 && results.length === 1 && results[0]?.isError === true;
  },
  consentStage: async ({ call }) => {
    const refused = await call('signed', {}, 'anything');
    return refused.status === 403 && typeof refused.body['url'] === 'string';
  },
  decideOn: async ({ call }) => {
    const { status } = await call('plain', {}, 'deleteCollection');
    return status === 404 && server.seen.length === 0;
  },
  validate: async ({ call }) => {
    const { status } = await call('plain', { rows: 'many' });
    return status === 400 && server.seen.length === 0;
  },
  limitsStage: async ({ call }) => {
    await call('limited');
    return (await call('limited')).status === 429 && server.seen.length === 1;
  },
  guardrailsStage: async ({ call }) => {
    const { status } = await call('guarded', { echo: 'the secret plan' });
    return status === 422 && server.seen.length === 0;
  },
  boundsStage: async ({ call }) => {
    const { status } = await call('bounded', { echo: 'x'.repeat(200) });
    return status === 413 && server.seen.length === 0;
  },
  approvalStage: async ({ call }) => {
    const { status } = await call('asked');
    return status === 403 && server.seen.length === 0;
  },
  cacheStage: async ({ call }) => {
    await call('kept');
    await call('kept');
    return server.seen.length === 1;
  },
  timeoutStage: async ({ call }) => {
    flapping.moods('silent');
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, 3_000));
    return (await Promise.race([call('slow', {}, 'read'), late]))?.status === 504;
  },
  resilienceStage: async ({ call }) => {
    flapping.moods('breaks', 'well');
    return (await call('flaky', {}, 'read')).status === 200;
  },
  upstreamStage: async ({ call }) => (await call('plain')).status === 200 && server.seen.length === 1,
  modelRecordStage: async (world) => {
    wire.reply(says('hello'));
    await world.run('big');
    return recorded(world, 'model');
  },
  modelLimitsStage: async ({ run }) => {
    wire.reply(says('hello'));
    return (await run('spent')) === 429;
  },
  modelGuardrailsStage: async ({ run }) => {
    wire.requests.length = 0;
    wire.reply(says('hello'));
    await run('masked');
    return JSON.stringify(wire.requests.at(-1)?.body.messages).includes('[EMAIL]');
  },
};
const LIST = stepsOf(calls([{ id: 'c', name: `plain__${READ}`, arguments: '{}' }]));

/** Runs a build of the program, and asks it one question. */
async function ask(line: StageLine | undefined, name: string): Promise<boolean> {
  const program = await buildWithout(line, join(folder, line === undefined ? 'whole' : `without-${name}`));
  const gateway = await startGateway({ config: config(), program });
  server.clear();
  wire.otherwise(() => says('done'));
  try {
    const people = await createPeople(gateway, ['ann']);
    const question = QUESTIONS[name];
    if (question === undefined) throw new Error(`there is no question for the stage ${name}`);
    return await question({
      people,
      gateway,
      call: (at, args = {}, tool = READ) =>
        people.api('ann', 'POST', '/calls', { server: `g:${at}`, tool, arguments: args }),
      run: async (model, more = {}) => {
        const agent = createAgentClient(gateway.address, people.tokens['ann'] ?? '');
        const messages = [{ role: 'user' as const, content: 'I am ann@example.com' }];
        const { response, events } = await agent.post({
          model: `wire/${model}`,
          stream: true,
          messages,
          ...more,
        });
        if (!response.ok) return response.status;
        const all: RunEvent[] = [];
        for await (const event of events) all.push(event);
        return all;
      },
    });
  } finally {
    await gateway.stop();
  }
}

it('every stage has a question, and every question a stage', () => {
  expect(lines.map(({ name }) => name)).toEqual(Object.keys(QUESTIONS));
});

describe.each(lines)('$name', (line) => {
  it('is missed when it is not there', async () => {
    expect(await ask(undefined, line.name)).toBe(true);
    expect(await ask(line, line.name)).toBe(false);
  });
});
