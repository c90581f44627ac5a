import { Agent } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelListSchema } from '../../../gateway/contract/registry.ts';
import { createModels, type Models } from '../../../gateway/models/models.ts';
import { refuses, startOpenAiWire, type OpenAiWire } from '../../support/openai-wire.ts';

let wire: OpenAiWire;
const dispatcher = new Agent();
const asked: boolean[] = [];
let models: Models;

beforeAll(async () => {
  wire = await startOpenAiWire();
  models = createModels({
    providers: [
      { name: 'openai', type: 'openai', baseUrl: wire.baseUrl, apiKey: 'k', models: ['gpt-4o', 'o3'] },
      { name: 'local', type: 'openai-compatible', baseUrl: wire.baseUrl, allowPrivateAddress: true },
      { name: 'demo', type: 'demo' },
    ],
    aliases: { 'gpt-4o': 'openai/gpt-4o', broken: 'nowhere/x' },
    dispatcherFor: (allowPrivateAddress) => {
      asked.push(allowPrivateAddress);
      return dispatcher;
    },
  });
});
afterAll(async () => {
  await dispatcher.close();
  await wire.close();
});

describe('resolving a name', () => {
  test('provider/model, a model with slashes, an alias', () => {
    expect(resolved('openai/o3')).toEqual(['openai', 'o3']);
    expect(resolved('local/meta/llama-3:8b')).toEqual(['local', 'meta/llama-3:8b']);
    expect(resolved('gpt-4o')).toEqual(['openai', 'gpt-4o']);
    expect(resolved('demo/planner')).toEqual(['demo', 'planner']);
  });

  test.each(['gpt-4', 'opnai/gpt-4o', 'openai/gpt-5', 'demo/other', 'openai/', '/x', '', 'broken', 'local'])(
    '"%s" is unknown, and the error says what there is',
    (name) => {
      expect(() => models.resolve(name)).toThrow(
        expect.objectContaining({
          reason: 'unknown-model',
          message: expect.stringContaining(
            'gpt-4o, broken, openai/gpt-4o, openai/o3, local/…, demo/planner',
          ) as string,
        }),
      );
    },
  );

  test('a slip is told its nearest name', () => {
    expect(() => models.resolve('opnai/gpt-4o')).toThrow('Did you mean "openai/gpt-4o"?');
    expect(() => models.resolve('gpt-4')).toThrow('Did you mean "gpt-4o"?');
  });

  test('no provider configured', () => {
    const none = createModels({ providers: [], aliases: {}, dispatcherFor: () => dispatcher });
    expect(() => none.resolve('x/y')).toThrow('No model is configured');
  });
});

test('only the provider that consented may reach private addresses', () => {
  expect(asked).toEqual([false, true]);
});

test("the list holds every model and alias in the contract's shape", async () => {
  wire.reply({ status: 200, body: { object: 'list', data: [{ id: 'llama' }] } });
  const list = modelListSchema.parse(await models.list(new AbortController().signal));
  expect(list.data.map((model) => [model.id, model.owned_by])).toEqual([
    ['openai/gpt-4o', 'openai'],
    ['openai/o3', 'openai'],
    ['local/llama', 'local'],
    ['demo/planner', 'demo'],
    ['gpt-4o', 'openai'],
    ['broken', 'nowhere'],
  ]);
  expect(list.data.find((model) => model.id === 'demo/planner')?.description).toContain('not an AI');
  expect(list.unavailable).toEqual([]);
});

test('a provider that cannot be asked is named with its reason, and hides no other', async () => {
  wire.reply(refuses(503, 'down for maintenance'));
  const list = await models.list(new AbortController().signal);
  expect(list.unavailable).toEqual([
    { provider: 'local', reason: expect.stringContaining('down for maintenance') as string },
  ]);
  expect(list.data.map((model) => model.id)).toContain('demo/planner');
});

function resolved(name: string): [string, string] {
  const { provider, model } = models.resolve(name);
  return [provider.name, model];
}

test('a provider with a problem of its own answers it, and hides no other', async () => {
  const some = createModels({
    providers: [
      { name: 'openai', type: 'openai', problem: 'the environment variable OPENAI_API_KEY is not set' },
      { name: 'demo', type: 'demo' },
    ],
    aliases: {},
    dispatcherFor: () => dispatcher,
  });
  const { signal } = new AbortController();
  const list = await some.list(signal);
  expect(list.unavailable[0]?.reason).toContain('OPENAI_API_KEY is not set');
  expect(list.data.map((model) => model.id)).toEqual(['demo/planner']);
  const { provider, model } = some.resolve('openai/gpt-4o');
  expect(() => provider.stream({ model, messages: [], tools: [], parameters: {}, signal })).toThrow(
    'OPENAI_API_KEY',
  );
});
