import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initializeResult, negotiate } from '../../../gateway/mcp/handshake.ts';
import { errorText, readMessage, resultText } from '../../../gateway/mcp/jsonrpc.ts';
import { createViews } from '../../../gateway/mcp/scope.ts';
import { compileTemplate } from '../../../gateway/mcp/uri-template.ts';
import { catalogOf, configOf, principalOf } from './support.ts';

describe('a URI template', () => {
  const fits = (template: string, uri: string): boolean => compileTemplate(template)(uri);

  it.each([
    ['file:///{path}', 'file:///a/b', true],
    ['file:///{path}', 'https://a', false],
    ['db://{table}/rows/{id}', 'db://users/rows/7', true],
    ['db://{table}/rows/{id}', 'db://users/cols/7', false],
    ['a{x}b', 'ab', true],
    ['a{x}b', 'a', false],
    ['ab{x}ba', 'aba', false],
    ['a{x}b{y}b', 'ab', false],
    ['test://x{?q,r}', 'test://x?q=1', true],
    ['test://plain', 'test://plain', true],
    ['test://plain', 'test://plain/more', false],
    ['{+uri}', 'anything:at-all', true],
    ['odd{', 'odd{', true],
    ['a.c{x}', 'abc', false],
  ])('%s fits %s: %s', (template, uri, expected) => {
    expect(fits(template, uri)).toBe(expected);
  });

  it('fits every URI made from it', () => {
    const literal = fc.stringMatching(/^[a-z:/.?=]{0,4}$/);
    const value = fc.stringMatching(/^[a-z/.]{0,5}$/);
    fc.assert(
      fc.property(literal, fc.array(fc.tuple(value, literal), { maxLength: 4 }), (start, parts) => {
        const template = start + parts.map(([, after], at) => `{v${at}}${after}`).join('');
        const uri = start + parts.map(([filled, after]) => filled + after).join('');
        expect(fits(template, uri)).toBe(true);
      }),
    );
  });

  it('takes linear time, whatever a server sends', () => {
    const template = `${'{x}a'.repeat(2_000)}b`;
    const began = performance.now();
    expect(fits(template, 'a'.repeat(100_000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe('a JSON-RPC message', () => {
  it.each([
    [
      { jsonrpc: '2.0', id: 1, method: 'm' },
      { id: 1, method: 'm', params: {} },
    ],
    [
      { jsonrpc: '2.0', id: 'x', method: 'm', params: { a: 1 } },
      { id: 'x', method: 'm', params: { a: 1 } },
    ],
    [
      { jsonrpc: '2.0', id: 0, method: 'm' },
      { id: 0, method: 'm', params: {} },
    ],
    [
      { jsonrpc: '2.0', method: 'm' },
      { method: 'm', params: {} },
    ],
    [
      { jsonrpc: '2.0', id: 1, result: {} },
      { id: 1, result: {} },
    ],
    [
      { jsonrpc: '2.0', id: 1, error: { code: 1, message: '' } },
      { id: 1, error: { code: 1, message: '' } },
    ],
  ])('%j is read', (body, message) => {
    expect(readMessage(body)).toEqual(message);
  });

  it.each([
    null,
    1,
    'text',
    true,
    [],
    [{ jsonrpc: '2.0', id: 1, method: 'm' }],
    {},
    { id: 1, method: 'm' },
    { jsonrpc: '1.0', id: 1, method: 'm' },
    { jsonrpc: '2.0', id: 1 },
    { jsonrpc: '2.0', id: 1, method: 2 },
    { jsonrpc: '2.0', id: null, method: 'm' },
    { jsonrpc: '2.0', id: {}, method: 'm' },
    { jsonrpc: '2.0', id: 1, method: 'm', params: [] },
    { jsonrpc: '2.0', id: 1, method: 'm', params: null },
    { jsonrpc: '2.0', result: {} },
  ])('%j is none', (body) => {
    expect(readMessage(body)).toBeUndefined();
  });

  it('is answered with its own id, of whatever form', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.integer()), fc.jsonValue(), (id, value) => {
        expect(JSON.parse(resultText(id, JSON.stringify(value)))).toEqual(
          JSON.parse(JSON.stringify({ jsonrpc: '2.0', id, result: value })),
        );
        expect(JSON.parse(errorText(id, { code: -1, message: 'm' }))).toEqual({
          jsonrpc: '2.0',
          id,
          error: { code: -1, message: 'm' },
        });
      }),
    );
  });
});

describe('the handshake with clients', () => {
  it('takes the revision the client asks for, or offers the newest', () => {
    expect(negotiate('2025-03-26')).toBe('2025-03-26');
    for (const other of ['2026-07-28', '1999-01-01', undefined, 7])
      expect(negotiate(other)).toBe('2025-11-25');
  });

  const status = {
    serverInfo: { name: 'wiki', version: '3' },
    declared: { tools: { listChanged: false }, resources: { subscribe: true }, logging: {}, tasks: {} },
    instructions: 'Search before you write.',
  };
  const { catalog } = catalogOf(configOf({ g: { s: '', t: '' } }), { 'g:s': { status } });
  const views = createViews(catalog);

  it('shows a server’s identity at its own address, less what the gateway does not carry', () => {
    const scope = { kind: 'server', group: 'g', server: 's' } as const;
    expect(initializeResult(views(principalOf(), scope)!, '2025-11-25', '9')).toEqual({
      protocolVersion: '2025-11-25',
      capabilities: {
        tools: { listChanged: true },
        resources: { listChanged: true, subscribe: true },
        logging: {},
      },
      serverInfo: { name: 'wiki', version: '3' },
      instructions: 'Search before you write.',
    });
  });

  it('shows the gateway’s in an aggregate, whatever runs', () => {
    const scope = { kind: 'all' } as const;
    expect(initializeResult(views(principalOf(), scope)!, '2025-11-25', '9')).toMatchObject({
      serverInfo: { name: 'toolgate', version: '9' },
      capabilities: { tools: {}, resources: {}, prompts: {} },
    });
  });
});
