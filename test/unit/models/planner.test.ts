import { describe, expect, test } from 'vitest';
import type { ChatMessage, ToolCall } from '../../../gateway/contract/agent.ts';
import { isJsonObject, type JsonObject } from '../../../gateway/contract/json.ts';
import { createPlanner } from '../../../gateway/models/demo/planner.ts';
import type { ModelEvent, ToolSpec } from '../../../gateway/models/model.ts';
import { failedToolText } from '../../../gateway/models/tool-failure.ts';

type Tool = ToolSpec & { readonly run: (args: JsonObject) => string };

function tool(
  name: string,
  properties: JsonObject,
  run: Tool['run'],
  required = Object.keys(properties),
): Tool {
  return { name, parameters: { type: 'object', properties, required }, run };
}
const number = { type: 'number' };
const string = { type: 'string' };
const operation = (name: string, run: (a: number, b: number) => number): Tool =>
  tool(`calculator-mcp__${name}`, { a: number, b: number }, ({ a, b }) => String(run(Number(a), Number(b))));

const calculator = [
  operation('add', (a, b) => a + b),
  operation('subtract', (a, b) => a - b),
  operation('multiply', (a, b) => a * b),
  operation('divide', (a, b) => a / b),
];
const entity = {
  type: 'object',
  properties: { name: string, entityType: string, observations: { type: 'array', items: string } },
  required: ['name', 'entityType', 'observations'],
};
const addition = {
  type: 'object',
  properties: { entityName: string, contents: { type: 'array', items: string } },
  required: ['entityName', 'contents'],
};
const filesystem = [
  tool('filesystem-mcp__read_file', { path: string, head: number, tail: number }, () => 'deprecated', [
    'path',
  ]),
  tool(
    'filesystem-mcp__read_text_file',
    { path: string, head: number, tail: number },
    ({ path }) => `text of ${String(path)}`,
    ['path'],
  ),
  tool('filesystem-mcp__list_directory_with_sizes', { path: string, sortBy: string }, () => 'sizes', [
    'path',
  ]),
  tool('filesystem-mcp__list_directory', { path: string }, ({ path }) => `[FILE] in ${String(path)}`),
  tool(
    'filesystem-mcp__list_allowed_directories',
    {},
    () => 'Allowed directories:\n/data/sample\n/data/other',
  ),
  tool('filesystem-mcp__write_file', { path: string, content: string }, () => 'written'),
];
const everything = [
  tool('everything-mcp__echo', { message: string }, ({ message }) => `Echo: ${String(message)}`),
  tool('everything-mcp__get-env', {}, () => 'HOME=/root'),
];
function memory(known: string[] = []): Tool[] {
  return [
    tool('memory-mcp__create_entities', { entities: { type: 'array', items: entity } }, ({ entities }) => {
      const fresh = (Array.isArray(entities) ? entities : []).filter(
        (one) => isJsonObject(one) && !known.includes(String(one['name'])),
      );
      return JSON.stringify(fresh);
    }),
    tool('memory-mcp__add_observations', { observations: { type: 'array', items: addition } }, () => '[{}]'),
    tool(
      'memory-mcp__delete_entities',
      { entityNames: { type: 'array', items: string } },
      () => 'Entities deleted successfully',
    ),
    tool(
      'memory-mcp__read_graph',
      {},
      () =>
        '{"entities":[{"type":"entity","name":"Ada","entityType":"note","observations":["Ada likes tea"]}],"relations":[]}',
    ),
  ];
}
const all = [...calculator, ...filesystem, ...everything, ...memory()];

interface Step {
  text: string;
  calls: { name: string; arguments: JsonObject }[];
}

/** Plays the agent: runs what the planner asks for until it asks for nothing more. */
async function play(words: string, tools: readonly Tool[] = all): Promise<Step[]> {
  const messages: ChatMessage[] = [{ role: 'user', content: words }];
  const steps: Step[] = [];
  for (let turn = 0; turn < 10; turn += 1) {
    const { text, calls } = await ask(messages, tools);
    steps.push({
      text,
      calls: calls.map((call) => ({
        name: call.function.name,
        arguments: JSON.parse(call.function.arguments) as JsonObject,
      })),
    });
    if (calls.length === 0) return steps;
    messages.push({ role: 'assistant', content: text, tool_calls: calls });
    for (const call of calls) {
      const chosen = tools.find((one) => one.name === call.function.name);
      const content =
        chosen?.run(JSON.parse(call.function.arguments) as JsonObject) ?? failedToolText('no such tool');
      messages.push({ role: 'tool', tool_call_id: call.id, content });
    }
  }
  throw new Error('the planner never ended');
}

async function ask(
  messages: ChatMessage[],
  tools: readonly ToolSpec[],
): Promise<{ text: string; calls: ToolCall[]; events: ModelEvent[] }> {
  const calls: ToolCall[] = [];
  const events: ModelEvent[] = [];
  let text = '';
  const { signal } = new AbortController();
  for await (const event of createPlanner('demo').stream({
    model: 'planner',
    messages,
    tools,
    parameters: {},
    signal,
  })) {
    events.push(event);
    if (event.type === 'text') text += event.text;
    if (event.type === 'tool-call')
      calls[event.index] = { id: event.id, type: 'function', function: { name: event.name, arguments: '' } };
    const call = event.type === 'tool-arguments' ? calls[event.index] : undefined;
    if (call && event.type === 'tool-arguments') call.function.arguments += event.delta;
  }
  return { text, calls, events };
}

function called(steps: Step[]): [string, JsonObject][][] {
  return steps
    .slice(0, -1)
    .map((step) => step.calls.map((call) => [call.name.split('__')[1] ?? '', call.arguments]));
}

describe('arithmetic', () => {
  test.each<[string, [string, number, number][][], string]>([
    ['add 2 and 3', [[['add', 2, 3]]], '2 + 3 = 5'],
    ['Please add 2 to 3.', [[['add', 2, 3]]], '2 + 3 = 5'],
    ['what is 12 * 7', [[['multiply', 12, 7]]], '12 * 7 = 84'],
    ['What is 12 x 7?', [[['multiply', 12, 7]]], '12 * 7 = 84'],
    ['(2 + 3) * 4', [[['add', 2, 3]], [['multiply', 5, 4]]], '(2 + 3) * 4 = 20'],
    ['2 + 3 * 4', [[['multiply', 3, 4]], [['add', 2, 12]]], '2 + 3 * 4 = 14'],
    [
      '(1 + 2) * (3 + 4)',
      [
        [
          ['add', 1, 2],
          ['add', 3, 4],
        ],
        [['multiply', 3, 7]],
      ],
      '(1 + 2) * (3 + 4) = 21',
    ],
    ['10 - (4 - 3)', [[['subtract', 4, 3]], [['subtract', 10, 1]]], '10 - (4 - 3) = 9'],
    ['subtract 2 from 9', [[['subtract', 9, 2]]], '9 - 2 = 7'],
    ['divide 20 by 8', [[['divide', 20, 8]]], '20 / 8 = 2.5'],
    ['multiply 4 by -5', [[['multiply', 4, -5]]], '4 * -5 = -20'],
    ['what is the sum of 1, 2 and 3?', [[['add', 1, 2]], [['add', 3, 3]]], '1 + 2 + 3 = 6'],
    ['five plus seven', [[['add', 5, 7]]], '5 + 7 = 12'],
    ['how much is 1,500 minus 1.5', [[['subtract', 1500, 1.5]]], '1500 - 1.5 = 1498.5'],
    ['add 2 and 3, then multiply the result by 4', [[['add', 2, 3]], [['multiply', 5, 4]]], '5 * 4 = 20'],
    ['Add 2 and 3. Then divide that by 2', [[['add', 2, 3]], [['divide', 5, 2]]], '5 / 2 = 2.5'],
    ['add 2 and 3 and multiply by 4', [[['add', 2, 3]], [['multiply', 5, 4]]], '5 * 4 = 20'],
  ])('%s', async (words, wanted, answer) => {
    const steps = await play(words);
    expect(called(steps)).toEqual(wanted.map((turn) => turn.map(([name, a, b]) => [name, { a, b }])));
    expect(steps.at(-1)?.text).toContain(answer);
  });

  test('finds the names of the two numbers in the schema', async () => {
    const sum = tool(
      'everything-mcp__get-sum',
      { first: number, second: number },
      (args) => `The sum of ${String(args['first'])} and ${String(args['second'])} is 9.`,
    );
    const steps = await play('add 4 and 5', [...memory(), sum]);
    expect(called(steps)).toEqual([[['get-sum', { first: 4, second: 5 }]]]);
    expect(steps.at(-1)?.text).toContain('4 + 5 = 9');
  });

  test('two sums in one message are called for at once', async () => {
    expect(called(await play('add 2 and 3, and multiply 4 by 5'))).toEqual([
      [
        ['add', { a: 2, b: 3 }],
        ['multiply', { a: 4, b: 5 }],
      ],
    ]);
  });

  test('a date or a path is no calculation', async () => {
    expect(called(await play('what happened on 2024-01-02'))).toEqual([]);
    expect(called(await play('read the file /tmp/1-2/a.txt'))).toEqual([
      [['read_text_file', { path: '/tmp/1-2/a.txt' }]],
    ]);
  });
});

describe('files', () => {
  test.each([
    ['list the folder /data/sample', '/data/sample'],
    ['List the folder "my documents" please', 'my documents'],
    ['show me the files in reports', 'reports'],
    ['what is in the docs folder?', 'docs'],
    ['ls ./src', './src'],
  ])('%s', async (words, path) => {
    const steps = await play(words);
    expect(called(steps)).toEqual([[['list_directory', { path }]]]);
    expect(steps.at(-1)?.text).toContain(`[FILE] in ${path}`);
  });

  test.each([
    'list the folder',
    'list the files',
    'what files are there?',
    'show the contents of the sample folder',
  ])('with no path, asks which folders there are and lists the first: %s', async (words) => {
    expect(called(await play(words))).toEqual([
      [['list_allowed_directories', {}]],
      [['list_directory', { path: '/data/sample' }]],
    ]);
  });

  test.each([
    ['read the file notes.md', 'notes.md'],
    ['show me README.md', 'README.md'],
    ["read '/data/a b.txt'", '/data/a b.txt'],
    ['read the file called LICENSE', 'LICENSE'],
  ])('%s', async (words, path) => {
    expect(called(await play(words))).toEqual([[['read_text_file', { path }]]]);
  });
});

describe('echo, memory and tools by name', () => {
  test.each([
    ['echo hello', 'hello'],
    ['Echo "2 + 3, and list nothing"', '2 + 3, and list nothing'],
    ['please say hello world', 'hello world'],
  ])('%s', async (words, message) => {
    const steps = await play(words);
    expect(called(steps)).toEqual([[['echo', { message }]]]);
    expect(steps.at(-1)?.text).toContain(`Echo: ${message}`);
  });

  test('remember fills the nested schema', async () => {
    const entities = [{ name: 'Ada', entityType: 'note', observations: ['Ada likes tea'] }];
    expect(called(await play('remember that Ada likes tea'))).toEqual([[['create_entities', { entities }]]]);
  });

  test('forgets, where there is a tool for it', async () => {
    expect(called(await play('Forget Ada'))).toEqual([[['delete_entities', { entityNames: ['Ada'] }]]]);
    expect(called(await play('forget about Ada.'))).toEqual([
      [['delete_entities', { entityNames: ['Ada'] }]],
    ]);
  });

  test('adds to a subject that is known already', async () => {
    const steps = await play('Remember that Ada likes coffee', memory(['Ada']));
    expect(called(steps)[1]).toEqual([
      ['add_observations', { observations: [{ entityName: 'Ada', contents: ['Ada likes coffee'] }] }],
    ]);
    expect(steps.at(-1)?.text).toContain('Remembered: Ada likes coffee');
  });

  test('recalls, and only after what it has to remember first', async () => {
    expect(called(await play('what do you remember?'))).toEqual([[['read_graph', {}]]]);
    const steps = await play('remember that Ada likes tea and what do you remember');
    expect(called(steps).map((turn) => turn.map(([name]) => name))).toEqual([
      ['create_entities'],
      ['read_graph'],
    ]);
    expect(steps.at(-1)?.text).toContain('- Ada: Ada likes tea');
  });

  test('calls a tool by name with JSON', async () => {
    expect(called(await play('call get-env'))).toEqual([[['get-env', {}]]]);
    expect(
      called(await play('call the tool write_file with {"path": "a.txt", "content": "x. {y}"}')),
    ).toEqual([[['write_file', { path: 'a.txt', content: 'x. {y}' }]]]);
  });
});

describe('several things in one message', () => {
  test('run at once where nothing depends on anything', async () => {
    const steps = await play('Echo hello, list the folder /data and add 2 and 3. Remember that Bob is tall!');
    expect(called(steps)).toHaveLength(1);
    expect(called(steps)[0]?.map(([name]) => name)).toEqual([
      'echo',
      'list_directory',
      'add',
      'create_entities',
    ]);
    expect(steps.at(-1)?.text).toContain('2 + 3 = 5');
    expect(steps.at(-1)?.text).toContain('Remembered: Bob is tall');
  });

  test('only the last user message counts, and ids do not repeat in a conversation', async () => {
    const history: ChatMessage[] = [{ role: 'user', content: 'add 1 and 1' }];
    const first = await ask(history, all);
    history.push(
      { role: 'assistant', content: null, tool_calls: first.calls },
      { role: 'tool', tool_call_id: first.calls[0]?.id ?? '', content: '2' },
      { role: 'user', content: [{ type: 'text', text: 'add 2 and 2' }] },
    );
    const second = await ask(history, all);
    expect(second.calls[0]?.function.arguments).toBe('{"a":2,"b":2}');
    expect(second.calls[0]?.id).not.toBe(first.calls[0]?.id);
  });
});

describe('honesty', () => {
  test('every turn says that it is a demo and no AI', async () => {
    for (const words of ['add 2 and 3', 'tell me a joke', 'list the folder', '']) {
      for (const { text } of await play(words))
        expect(text).toMatch(/^Demo planner \(scripted rules, not an AI\): /);
    }
  });

  test('says what it can do and which tools it was offered when no rule fits', async () => {
    const [step] = await play('tell me a joke', everything);
    expect(step?.text).toContain('no rule of mine fits that');
    expect(step?.text).toContain('Tools I was offered: echo, get-env.');
    expect((await play('tell me a joke', []))[0]?.text).toContain('I was offered no tools');
  });

  test('says so when the needed tool is not offered, and does the rest', async () => {
    const steps = await play('list the folder /x and add 2 and 3', calculator);
    expect(called(steps)).toEqual([[['add', { a: 2, b: 3 }]]]);
    expect(steps.at(-1)?.text).toContain('one that lists a folder, and none was offered');
    expect(steps.at(-1)?.text).toContain('2 + 3 = 5');
  });

  test('reports a failure and does not go on with it', async () => {
    const broken = tool('calculator-mcp__divide', { a: number, b: number }, () =>
      failedToolText('Division by zero'),
    );
    const steps = await play('(4 / 0) + 1', [...calculator.slice(0, 3), broken]);
    expect(called(steps)).toEqual([[['divide', { a: 4, b: 0 }]]]);
    expect(steps.at(-1)?.text).toContain('divide failed: Division by zero');
  });
});

test('streams words and pieces of arguments, with an estimate of usage', async () => {
  const { events } = await ask([{ role: 'user', content: 'add 2 and 3' }], all);
  expect(events.filter((event) => event.type === 'text').length).toBeGreaterThan(5);
  expect(events.filter((event) => event.type === 'tool-arguments').length).toBeGreaterThan(2);
  expect(events.at(-2)).toMatchObject({ type: 'usage', inputTokens: expect.any(Number) as number });
  expect(events.at(-1)).toEqual({ type: 'finish', reason: 'tool_calls' });
});

test('stops when it is told to', async () => {
  const controller = new AbortController();
  const stream = createPlanner('demo').stream({
    model: 'planner',
    messages: [{ role: 'user', content: 'hi' }],
    tools: [],
    parameters: {},
    signal: controller.signal,
  });
  const read = async (): Promise<void> => {
    for await (const event of stream) if (event.type === 'text') controller.abort();
  };
  await expect(read()).rejects.toMatchObject({ reason: 'cancelled' });
});
