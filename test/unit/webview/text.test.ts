import { describe, expect, it } from 'vitest';
import { indentJson, isJsonText, jsonPieces } from '../../../webview/json-text.ts';
import { readStreamEvent } from '../../../webview/stream.ts';
import { readUiState } from '../../../webview/ui-state.ts';
import { duration, refusalWords, size } from '../../../webview/words.ts';

describe('JSON for people', () => {
  it('indents as JSON.stringify does', () => {
    const value = { a: [1, { b: 'x,{}:"\\' }], empty: {}, none: [], text: 'ä', last: null };
    expect(indentJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
    expect(indentJson('{ "a" : 1 ,\n"b": [ ] }')).toBe('{\n  "a": 1,\n  "b": []\n}');
  });

  it('indents every beginning of a text without failing', () => {
    const json = JSON.stringify({ path: 'a "quoted" \\ name', list: [1, 2, { deep: true }] });
    for (let end = 0; end <= json.length; end += 1) {
      expect(indentJson(json.slice(0, end)).replace(/\s/g, '')).toBe(json.slice(0, end).replace(/\s/g, ''));
    }
  });

  it('knows JSON objects and arrays from other text', () => {
    expect([' {"a":1}', '[]', '5', '"x"', '{"a":', 'plain', ''].map((text) => isJsonText(text))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
    expect(isJsonText('[1,2,3]', 3)).toBe(false);
  });

  it('colours without changing the text, also when it is cut', () => {
    const json = '{"a": "x", "n": -1.5e3, "t": [true, null], "open": "never clo';
    const pieces = jsonPieces(json);
    expect(pieces.map((piece) => piece.text).join('')).toBe(json);
    expect(pieces.filter((piece) => piece.kind !== 'plain')).toEqual([
      { kind: 'key', text: '"a"' },
      { kind: 'string', text: '"x"' },
      { kind: 'key', text: '"n"' },
      { kind: 'number', text: '-1.5e3' },
      { kind: 'key', text: '"t"' },
      { kind: 'literal', text: 'true' },
      { kind: 'literal', text: 'null' },
      { kind: 'key', text: '"open"' },
      { kind: 'string', text: '"never clo' },
    ]);
  });
});

describe('an SSE event of a run', () => {
  const chunk = { id: 'run_1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [] };

  it('is a chunk, an error or the end', () => {
    expect(readStreamEvent('message', '[DONE]')).toEqual({ type: 'done' });
    expect(readStreamEvent('message', JSON.stringify(chunk))).toEqual({ type: 'chunk', chunk });
    const error = { error: { message: 'Too many requests', type: 'rate_limit', code: null, param: null } };
    expect(readStreamEvent('message', JSON.stringify(error))).toEqual({
      type: 'error',
      message: 'Too many requests',
    });
  });

  it('loses only the facts it does not know of a chunk of a newer gateway', () => {
    const newer = { ...chunk, toolgate: { type: 'tool.approval_required', approvalId: 'a1' } };
    expect(readStreamEvent('tool.approval_required', JSON.stringify(newer))).toEqual({
      type: 'chunk',
      chunk,
    });
  });

  it('passes over a named event of another shape, and says so of an unnamed one', () => {
    expect(readStreamEvent('heartbeat', '{"at":1}')).toEqual({ type: 'skipped' });
    expect(readStreamEvent('message', '{"at":1}')).toMatchObject({ type: 'error' });
    expect(readStreamEvent('message', '{"at":')).toMatchObject({ type: 'error' });
  });
});

describe('words', () => {
  it('takes the gateway’s own from a problem or an LLM error', () => {
    const problem = {
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      detail: 'Ask an owner.',
      rule: 'group',
    };
    expect(refusalWords(403, problem)).toBe('Ask an owner. (rule: group)');
    const error = { error: { message: 'No such model', type: 'x', code: null, param: null } };
    expect(refusalWords(404, error)).toBe('No such model');
    expect(refusalWords(502, '<html>')).toBe('The gateway answered with HTTP status 502 and no explanation.');
    expect(refusalWords(0, 'It does not answer.')).toBe('It does not answer.');
  });

  it('says durations and sizes as people do', () => {
    expect([0.42, 85.4, 1240, 12_340, 125_000].map(duration)).toEqual([
      '0.4 ms',
      '85 ms',
      '1.24 s',
      '12.3 s',
      '2 min 5 s',
    ]);
    expect([1, 512, 14_200, 2_100_000].map(size)).toEqual([
      '1 character',
      '512 characters',
      '14 k characters',
      '2.1 M characters',
    ]);
  });
});

describe('what the page keeps', () => {
  it('starts with defaults', () => {
    expect(readUiState(undefined)).toMatchObject({ model: '', iterationLimit: 5, selection: {}, draft: '' });
  });

  it('replaces what cannot be read by its default, and keeps the rest', () => {
    const saved = {
      model: 'demo/planner',
      iterationLimit: 400,
      selection: { a: 'some' },
      draft: 'hi',
      other: 1,
    };
    const state = readUiState(saved);
    expect(state).toMatchObject({ model: 'demo/planner', iterationLimit: 5, selection: {}, draft: 'hi' });
    expect(state).not.toHaveProperty('other');
  });
});
