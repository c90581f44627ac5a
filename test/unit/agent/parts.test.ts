import { describe, expect, test } from 'vitest';
import { createEventLog } from '../../../gateway/agent/event-log.ts';
import { AgentError, toAgentError } from '../../../gateway/agent/errors.ts';
import { makeOffer } from '../../../gateway/agent/offer.ts';
import { resultText } from '../../../gateway/agent/tool-text.ts';
import { ModelError, type ModelErrorReason } from '../../../gateway/models/model.ts';
import { createDirectory, OWNER, type ServerSpec } from './fixtures.ts';

describe('the offer', () => {
  const offer = (
    specs: ServerSpec[],
    asked: { integration_fqn: string; tools?: { name: string }[] }[],
  ): ReturnType<typeof makeOffer> => makeOffer(createDirectory(specs), OWNER, asked, 'openai/gpt');
  const names = (made: ReturnType<typeof makeOffer>): string[] => [...made.tools.keys()];

  test('names a tool server__tool and replaces what model APIs refuse', () => {
    const made = offer(
      [{ group: 'g', name: 'my.server', tools: ['get/it', 'get-sum', 'Ünïcode'] }],
      [{ integration_fqn: 'my.server' }],
    );
    expect(names(made)).toEqual(['my_server__get_it', 'my_server__get-sum', 'my_server___n_code']);
    expect(made.tools.get('my_server__get_it')?.tool).toBe('get/it');
  });

  test('two servers of one name carry their groups; a third does not', () => {
    const specs = [
      { group: 'a', name: 's', tools: ['t'] },
      { group: 'b', name: 's', tools: ['t'] },
      { group: 'b', name: 'u', tools: ['t'] },
    ];
    const asked = [{ integration_fqn: 'a:s' }, { integration_fqn: 'b:s' }, { integration_fqn: 'b:u' }];
    expect(names(offer(specs, asked))).toEqual(['a__s__t', 'b__s__t', 'u__t']);
    expect(names(offer(specs, asked.slice(0, 1)))).toEqual(['s__t']);
  });

  test('a server named twice is offered once, with the tools of both', () => {
    const specs = [{ group: 'g', name: 's', tools: ['one', 'two', 'three'] }];
    const asked = [
      { integration_fqn: 's', tools: [{ name: 'two' }, { name: 'two' }] },
      { integration_fqn: 'g:s', tools: [{ name: 'one' }] },
    ];
    expect(names(offer(specs, asked))).toEqual(['s__two', 's__one']);
  });

  test('tools whose names collide are all left out, and refused when asked for by name', () => {
    const specs = [{ group: 'g', name: 's', tools: ['a.b', 'a/b', 'c'] }];
    const made = offer(specs, [{ integration_fqn: 's' }]);
    expect(names(made)).toEqual(['s__c']);
    expect(made.omitted.map((one) => one.tool)).toEqual(['a.b', 'a/b']);
    expect(() =>
      offer(specs, [{ integration_fqn: 's' }, { integration_fqn: 's', tools: [{ name: 'a/b' }] }]),
    ).toThrow(expect.objectContaining({ status: 400, param: 'mcp_servers.1.tools.0.name' }));
  });

  test('64 characters fit, 65 do not', () => {
    const made = offer(
      [{ group: 'g', name: 's', tools: ['x'.repeat(61), 'y'.repeat(62)] }],
      [{ integration_fqn: 's' }],
    );
    expect(names(made)).toEqual([`s__${'x'.repeat(61)}`]);
    expect(made.omitted[0]?.reason).toContain('longer than 64');
  });

  test('what is not there and what may not be seen are the same error', () => {
    const specs = [
      { group: 'g', name: 's', tools: ['t'], hidden: ['secret'] },
      { group: 'g', name: 'invisible', tools: ['t'], invisible: true },
    ];
    const error = (asked: { integration_fqn: string; tools?: { name: string }[] }): AgentError => {
      try {
        offer(specs, [asked]);
      } catch (thrown) {
        if (thrown instanceof AgentError) return thrown;
      }
      throw new Error('expected an AgentError');
    };
    const normal = (thrown: AgentError): unknown => [
      thrown.status,
      thrown.code,
      thrown.message.replace(/"(invisible|missing|secret)"/, '"X"'),
    ];
    expect(normal(error({ integration_fqn: 'invisible' }))).toEqual(
      normal(error({ integration_fqn: 'missing' })),
    );
    const tool = (name: string): unknown => normal(error({ integration_fqn: 's', tools: [{ name }] }));
    expect(tool('secret')).toEqual(tool('missing'));
  });

  test('a server that failed says so instead of silently offering nothing', () => {
    const specs: ServerSpec[] = [
      { group: 'g', name: 's', tools: [], state: 'failed', lastError: 'spawn nothing ENOENT' },
    ];
    expect(offer(specs, [{ integration_fqn: 's' }]).omitted).toEqual([
      {
        server: 'toolgate:g:s',
        tool: '*',
        reason: 'The server toolgate:g:s is failed: spawn nothing ENOENT.',
      },
    ]);
    expect(() => offer(specs, [{ integration_fqn: 's', tools: [{ name: 't' }] }])).toThrow('ENOENT');
  });

  test('a schema without properties gets some, since OpenAI refuses it otherwise', () => {
    const made = offer([{ group: 'g', name: 's', tools: ['t'] }], [{ integration_fqn: 's' }]);
    expect(made.tools.get('s__t')?.spec.parameters).toEqual({ type: 'object', properties: {} });
  });
});

describe('a result as the model reads it', () => {
  test.each<[string, unknown[], string]>([
    [
      'text',
      [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
      'a\nb',
    ],
    [
      'an image',
      [{ type: 'image', mimeType: 'image/png', data: 'AAAA' }],
      '[image, image/png, 3 bytes, not shown]',
    ],
    ['audio', [{ type: 'audio', mimeType: 'audio/wav', data: '' }], '[audio, audio/wav, 0 bytes, not shown]'],
    [
      'a link',
      [{ type: 'resource_link', name: 'n', uri: 'file:///x', mimeType: 'text/plain' }],
      '[resource link n, file:///x, text/plain]',
    ],
    ['an embedded text', [{ type: 'resource', resource: { uri: 'x:1', text: 'inside' } }], 'inside'],
    [
      'an embedded blob',
      [{ type: 'resource', resource: { uri: 'x:1', mimeType: 'a/b', blob: 'AAA=' } }],
      '[resource x:1, a/b, 2 bytes, not shown]',
    ],
    ['a block nobody knows', [{ type: 'hologram' }], '[a block of type "hologram", not shown]'],
    ['nothing', [], '[the tool answered without content]'],
  ])('%s', (_, content, text) => {
    expect(resultText({ content })).toBe(text);
    expect(resultText({ content, isError: true })).toBe(`[tool failed] ${text}`);
  });

  test('structured content stands in for missing text, and an endless text is cut with a word about it', () => {
    expect(resultText({ content: [], structuredContent: { a: 1 } })).toBe('{"a":1}');
    const long = resultText({ content: [{ type: 'text', text: 'x'.repeat(500_000) }] });
    expect(long.length).toBeLessThan(400_100);
    expect(long).toContain('400000 of 500000 characters');
  });
});

describe('the event log', () => {
  const never = new AbortController().signal;

  test('keeps the newest events within both bounds, and knows what it forgot', async () => {
    const log = createEventLog({ events: 3, size: 100 });
    for (const data of ['a', 'b', 'c', 'd']) log.append(undefined, data);
    expect((await log.next(1, never)).map((event) => [event.id, event.data])).toEqual([
      [2, 'b'],
      [3, 'c'],
      [4, 'd'],
    ]);
    expect([log.has(0), log.has(1), log.last()]).toEqual([false, true, 4]);
    log.append('big', 'x'.repeat(99));
    expect((await log.next(0, never)).map((event) => event.id)).toEqual([4, 5]);
    log.append('bigger', 'x'.repeat(500));
    expect((await log.next(0, never)).map((event) => event.id)).toEqual([6]);
    expect(log.size()).toBe(500);
  });

  test('a reader waits for the next event, the end, or its own abort', async () => {
    const log = createEventLog({ events: 10, size: 100 });
    const controller = new AbortController();
    const waiting = [log.next(0, never), log.next(0, controller.signal)];
    controller.abort();
    expect(await waiting[1]).toEqual([]);
    log.append('x', 'data');
    expect(await waiting[0]).toEqual([{ id: 1, name: 'x', data: 'data' }]);
    const end = log.next(1, never);
    log.end();
    expect(await end).toEqual([]);
  });
});

test.each<[ModelErrorReason, number]>([
  ['unknown-model', 404],
  ['bad-request', 400],
  ['unauthorized', 502],
  ['rate-limited', 429],
  ['unavailable', 502],
  ['timeout', 504],
  ['stream-broken', 502],
  ['cancelled', 409],
])('a model that is %s answers %i', (reason, status) => {
  expect(toAgentError(new ModelError(reason, 'words')).status).toBe(status);
});

test('a fault of the gateway keeps its details to the log', () => {
  const error = toAgentError(new TypeError('secret detail'));
  expect(error.status).toBe(500);
  expect(JSON.stringify(error.body())).not.toContain('secret detail');
});
