import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAgentClient, eventOf, gather } from '../support/agent-client.ts';
import { startCountingServer, type CountingServer } from '../support/counting-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { calls, chunk, DONE, says, startOpenAiWire, usage, type OpenAiWire } from '../support/openai-wire.ts';
import { createPeople, type ApiAnswer, type People } from '../support/people.ts';

/** P145 Unsafe content is kept from tools and models and does not come back from them, without a paid service. */
let server: CountingServer;
let wire: OpenAiWire;
let gateway: RunningGateway;
let people: People;

beforeAll(async () => {
  server = await startCountingServer();
  wire = await startOpenAiWire();
  const only = (name: string): string => `when: { servers: ["g:${name}"] }`;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    access: { use: [everyone] }
    servers:
${['takes', 'words', 'gives', 'marks', 'own'].map((name) => `      - ${server.entry(name)}`).join('\n')}
models:
  providers:
    - { name: wire, type: openai-compatible, baseUrl: "${wire.baseUrl}", models: [refuses, marks], allowPrivateAddress: true }
  access: [{ models: ["wire/*"], use: [everyone] }]
policies:
  guardrails:
    - { name: decent-arguments, kind: unsafe-content, ${only('takes')}, hooks: [toolArguments] }
    - { name: words-alone, kind: unsafe-content, ${only('words')}, hooks: [toolArguments], sensitivity: off }
    - { name: decent-results, kind: unsafe-content, ${only('gives')}, hooks: [toolResult] }
    - { name: decent-marks, kind: unsafe-content, ${only('marks')}, hooks: [toolArguments, toolResult], operation: mutate, categories: [profanity, slurs] }
    - { name: house-words, kind: unsafe-content, ${only('own')}, hooks: [toolArguments], categories: [profanity], allow: [bastard], words: [frobnicate, "blue moon"] }
    - { name: decent-models, kind: unsafe-content, when: { models: ["wire/refuses"] }, hooks: [modelInput, modelOutput], message: "Let us talk of something else." }
    - { name: decent-words, kind: unsafe-content, when: { models: ["wire/marks"] }, hooks: [modelInput, modelOutput], operation: mutate, categories: [profanity, self-harm] }
`,
  });
  people = await createPeople(gateway, ['ann']);
});
afterAll(async () => {
  await gateway.stop();
  await wire.close();
  await server.close();
});
beforeEach(() => {
  server.clear();
  wire.requests.length = 0;
});

const call = (at: string, echo: string): Promise<ApiAnswer> =>
  people.api('ann', 'POST', '/calls', { server: `g:${at}`, tool: 'listCollections', arguments: { echo } });
const text = ({ body }: ApiAnswer): string => JSON.stringify(body['result']);
const run = (model: string, content: string, more: object = {}) =>
  createAgentClient(gateway.address, people.tokens['ann'] ?? '').post({
    ...{ model: `wire/${model}`, stream: true, messages: [{ role: 'user', content }] },
    ...more,
  });

describe("a tool's", () => {
  it('arguments that are unsafe never reach the server', async () => {
    const refused = await call('takes', 'how to build a pipe bomb');
    expect([refused.status, refused.body['rule'], refused.body['detail']]).toEqual([
      422,
      'decent-arguments',
      'listCollections: the arguments did not pass: decent-arguments found 1 violence at echo',
    ]);
    expect(server.seen).toEqual([]);
    for (const fine of ['Scunthorpe, Essex', 'how to build a bath bomb', 'this shit does not work'])
      expect((await call('takes', fine)).status).toBe(200);
  });

  it('result that is unsafe does not reach the caller', async () => {
    const refused = await call('gives', 'free p0rn here');
    expect([refused.status, refused.body['rule']]).toEqual([422, 'decent-results']);
    expect(JSON.stringify(refused.body)).not.toContain('p0rn');
    expect((await call('gives', 'popcorn')).status).toBe(200);
  });

  it('arguments and result get a mark where the guard changes them', async () => {
    expect(text(await call('marks', 'this sh1t, FUUUCK, ok'))).toContain('this [PROFANITY], [PROFANITY], ok');
    expect(server.seen[0]?.args).toEqual({ echo: 'this [PROFANITY], [PROFANITY], ok' });
    wire.reply(
      calls([{ id: 'c', name: 'marks__listCollections', arguments: '{"echo":"bullshit"}' }]),
      says('done'),
    );
    const { events } = await run('refuses', 'go', { mcp_servers: [{ integration_fqn: 'g:marks' }] });
    const told = [];
    for await (const event of events) told.push(event);
    expect(eventOf(told, 'guardrail.triggered')).toMatchObject({
      ...{ rule: 'decent-marks', effect: 'changed', message: 'decent-marks replaced 1 profanity' },
    });
  });

  it('arguments that threaten without a known word never reach the server, and what only sounds like it does', async () => {
    const threat = 'I will smash your skull and watch you bleed';
    const refused = await call('takes', `Dear all. ${threat}.`);
    expect([refused.status, refused.body['rule'], refused.body['detail']]).toEqual([
      422,
      'decent-arguments',
      'listCollections: the arguments did not pass: decent-arguments found 1 violence at echo',
    ]);
    expect(server.seen).toEqual([]);
    for (const fine of ['How do I kill a child process?', 'If you feel suicidal, please call a crisis line.'])
      expect((await call('takes', fine)).status).toBe(200);
    expect((await call('words', threat)).status).toBe(200);
  });

  it('words are those of the house where it says so', async () => {
    expect((await call('own', 'you bastard')).status).toBe(200);
    expect((await call('own', 'please Fr0bnicate it')).body['rule']).toBe('house-words');
    expect((await call('own', 'once in a Blue\n moon')).body['rule']).toBe('house-words');
    expect((await call('own', 'frobnicated blue moons')).status).toBe(200);
  });
});

describe("a model's", () => {
  const streamed = (...pieces: string[]) => ({
    steps: [...pieces.map((content) => chunk({ content })), chunk({}, 'stop'), usage(1, 1), DONE],
  });
  const answerOf = async (model: string, content: string) => {
    const { events, response } = await run(model, content);
    if (!response.ok) return { error: ((await response.json()) as { error: { code: string } }).error.code };
    const all = [];
    for await (const event of events) all.push(event);
    return { text: gather(all).text, error: all.find(({ error }) => error !== undefined)?.error?.code };
  };

  it('prompt that is unsafe never reaches the provider', async () => {
    expect((await answerOf('refuses', 'how to poison someone')).error).toBe('content_blocked');
    expect(wire.requests).toEqual([]);
    wire.reply(streamed('Of ', 'course.'));
    expect((await answerOf('marks', 'I want to kill myself')).text).toBe('Of course.');
    expect(wire.requests[0]?.body.messages?.at(-1)?.content).toBe('I want to [SELF_HARM]');
  });

  it('answer is cut off before what is unsafe, however it is cut in pieces', async () => {
    wire.reply(streamed('word '.repeat(300), 'watch some po', 'rn'));
    const { text: said, error } = await answerOf('refuses', 'hello');
    expect(error).toBe('content_blocked');
    expect(said).toMatch(/^(?:word )+/);
    expect(said).not.toContain('po');
  });

  it('answer is cut off before a sentence that threatens, however it is cut in pieces', async () => {
    wire.reply(
      streamed(
        'We went home. '.repeat(60),
        'He deserves to be bea',
        'ten until he stops',
        ' breathing. Bye.',
      ),
    );
    const { text: said, error } = await answerOf('refuses', 'hello');
    expect(error).toBe('content_blocked');
    expect(said).toMatch(/^(?:We went home\. )+/);
    expect(said).not.toContain('smash');
  });

  it('answer gets a mark where the guard changes it', async () => {
    wire.reply(streamed('That is bull', 'sh', 'it, and a cla', 'ssic.'));
    expect(await answerOf('marks', 'hello')).toEqual({
      text: 'That is [PROFANITY], and a classic.',
      error: undefined,
    });
  });
});
