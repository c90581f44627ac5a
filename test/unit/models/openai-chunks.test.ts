import { describe, expect, test } from 'vitest';
import { createChunkReader } from '../../../gateway/models/openai-chunks.ts';

interface Found {
  id: string;
  name: string;
  arguments: string;
}

/** The calls that come of these pieces, each in a chunk of its own. */
function callsOf(...pieces: unknown[]): Found[] {
  const reader = createChunkReader();
  const found: Found[] = [];
  for (const piece of pieces) {
    for (const event of reader.read({ choices: [{ index: 0, delta: { tool_calls: [piece] } }] })) {
      if (event.type === 'tool-call') found[event.index] = { id: event.id, name: event.name, arguments: '' };
      const call = event.type === 'tool-arguments' ? found[event.index] : undefined;
      if (call && event.type === 'tool-arguments') call.arguments += event.delta;
    }
  }
  return found;
}

describe('providers that bend the wire', () => {
  test('no index and no id: each name begins a call', () => {
    const found = callsOf(
      { function: { name: 'one', arguments: '{"a":' } },
      { function: { arguments: '1}' } },
      { function: { name: 'two', arguments: '{}' } },
    );
    expect(found.map((call) => [call.name, call.arguments])).toEqual([
      ['one', '{"a":1}'],
      ['two', '{}'],
    ]);
    expect(new Set(found.map(({ id }) => id)).size).toBe(2);
  });

  test('every call under index 0 but with ids of their own', () => {
    const found = callsOf(
      { index: 0, id: 'x', function: { name: 'one', arguments: '{}' } },
      { index: 0, id: 'y', function: { name: 'two', arguments: '{"b":' } },
      { index: 0, function: { arguments: '2}' } },
    );
    expect(found).toEqual([
      { id: 'x', name: 'one', arguments: '{}' },
      { id: 'y', name: 'two', arguments: '{"b":2}' },
    ]);
  });

  test('id and name repeated on every piece', () => {
    const piece = (args: string): unknown => ({
      index: 0,
      id: 'x',
      function: { name: 'one', arguments: args },
    });
    expect(callsOf(piece('{"a"'), piece(':1}'))).toEqual([{ id: 'x', name: 'one', arguments: '{"a":1}' }]);
  });

  test('arguments before the name', () => {
    const found = callsOf(
      { index: 0, id: 'y', function: { arguments: '{' } },
      { index: 0, function: { name: 'two', arguments: '}' } },
    );
    expect(found).toEqual([{ id: 'y', name: 'two', arguments: '{}' }]);
  });

  test('arguments as an object, and none at all', () => {
    const found = callsOf(
      { index: 2, id: 'z', function: { name: 'three', arguments: { c: 3 } } },
      { index: 2, function: { arguments: null } },
      { index: 3, id: 'w', function: { name: 'four' } },
    );
    expect(found).toEqual([
      { id: 'z', name: 'three', arguments: '{"c":3}' },
      { id: 'w', name: 'four', arguments: '' },
    ]);
  });

  test('content in parts, a refusal, and shapes nobody expects', () => {
    const reader = createChunkReader();
    const delta = {
      content: [{ type: 'text', text: 'a' }, { type: 'image' }],
      refusal: 'b',
      tool_calls: ['odd'],
    };
    expect(reader.read({ choices: [{ index: 0, delta }] })).toEqual([
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ]);
    for (const chunk of [
      {},
      { choices: 'x' },
      { choices: [null] },
      { choices: [{ delta: 7 }], usage: 'y' },
    ]) {
      expect(reader.read(chunk)).toEqual([]);
    }
    expect(reader.end()).toEqual([{ type: 'finish', reason: 'stop' }]);
  });

  test('takes no usage that is no amount', () => {
    for (const [prompt, completion] of [
      [-1e9, 1],
      [1, -1],
      [1e300, 1],
      ['1', 1],
    ]) {
      const reader = createChunkReader();
      reader.read({ usage: { prompt_tokens: prompt, completion_tokens: completion } });
      expect(reader.end()).toEqual([{ type: 'finish', reason: 'stop' }]);
    }
  });
});
