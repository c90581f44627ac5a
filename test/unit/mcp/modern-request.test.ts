import type { IncomingHttpHeaders } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import {
  createArgumentHeaderCheck,
  namesModern,
  readRequest,
  speaksModern,
} from '../../../gateway/mcp/modern/request.ts';
import { META } from '../../../gateway/upstream/envelope.ts';
import { decodeHeader, encodeHeader } from '../../../gateway/upstream/mirrored-headers.ts';

const VERSION = '2026-07-28';
const META_OK = { [META.protocolVersion]: VERSION, [META.clientCapabilities]: {} };
const headersOf = (method: string, name?: string): IncomingHttpHeaders => ({
  'mcp-protocol-version': VERSION,
  'mcp-method': method,
  ...(name !== undefined && { 'mcp-name': name }),
});

describe('which era a request is of', () => {
  const plain = { id: 1, method: 'tools/list', params: {} };
  it.each([
    ['no sign of the modern era', {}, plain, false],
    ['a legacy header', { 'mcp-protocol-version': '2025-11-25' }, plain, false],
    ['a modern header', { 'mcp-protocol-version': VERSION }, plain, true],
    ['a later header', { 'mcp-protocol-version': '2027-01-01' }, plain, true],
    ['no revision in the header', { 'mcp-protocol-version': 'latest' }, plain, false],
    ['a modern envelope alone', {}, { ...plain, params: { _meta: META_OK } }, true],
    ['an envelope of any version', {}, { ...plain, params: { _meta: { [META.protocolVersion]: 1 } } }, true],
    ['other reserved keys alone', {}, { ...plain, params: { _meta: { [META.clientInfo]: {} } } }, false],
    ['an answer without a sign', {}, { id: 1, result: {} }, false],
    ['an answer with a modern header', { 'mcp-protocol-version': VERSION }, { id: 1, result: {} }, true],
  ])('%s', (_what, headers, message, modern) => {
    expect(speaksModern(headers, message)).toBe(modern);
  });

  it('is told by the header where there is no body', () => {
    expect(namesModern({ 'mcp-protocol-version': VERSION })).toBe(true);
    expect(namesModern({})).toBe(false);
  });
});

describe('reading a request', () => {
  const read = (params: JsonObject, headers: IncomingHttpHeaders, method = 'tools/call') =>
    readRequest(headers, { id: 1, method, params });

  it('takes the envelope off, and leaves the rest of _meta', () => {
    const params = {
      name: 'add',
      arguments: { a: 1 },
      _meta: {
        ...META_OK,
        [META.clientInfo]: { name: 'c' },
        [META.logLevel]: 'info',
        progressToken: 1,
        'x/y': 2,
      },
    };
    expect(read(params, headersOf('tools/call', 'add'))).toEqual({
      id: 1,
      method: 'tools/call',
      params: { name: 'add', arguments: { a: 1 }, _meta: { progressToken: 1, 'x/y': 2 } },
      envelope: { clientCapabilities: {}, clientInfo: { name: 'c' }, logLevel: 'info' },
    });
    expect(read({ name: 'add', _meta: META_OK }, headersOf('tools/call', 'add'))).toMatchObject({
      params: { name: 'add' },
    });
  });

  it('does not let a server count on the tasks that the gateway does not carry', () => {
    const clientCapabilities = { extensions: { 'io.modelcontextprotocol/tasks': {}, 'io.x/ui': { a: 1 } } };
    const _meta = { ...META_OK, [META.clientCapabilities]: clientCapabilities };
    expect(read({ _meta }, headersOf('tools/list'), 'tools/list')).toMatchObject({
      envelope: { clientCapabilities: { extensions: { 'io.x/ui': { a: 1 } } } },
    });
  });

  it('names all keys that are missing', () => {
    expect(read({}, headersOf('tools/call'))).toMatchObject({
      status: 400,
      code: -32602,
      data: { missing: [META.protocolVersion, META.clientCapabilities] },
    });
  });

  it('wants any name in the header as the body has it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string(), (name, other) => {
        const params = { name, _meta: META_OK };
        expect(read(params, headersOf('tools/call', encodeHeader(name)))).not.toHaveProperty('code');
        const wrong = read(params, headersOf('tools/call', encodeHeader(other)));
        if (other === name) expect(wrong).not.toHaveProperty('code');
        else expect(wrong).toMatchObject({ status: 400, code: -32020 });
      }),
    );
  });
});

describe('header values', () => {
  it('come back as they were, whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(encodeHeader(text)).toMatch(/^[\x20-\x7e\t]*$/);
        expect(decodeHeader(encodeHeader(text))).toBe(text);
      }),
    );
  });

  it.each(['=?base64?%%%?=', '=?base64?YQ?=', '=?base64?YQ== ?=', '=?base64?/w==?='])(
    '%s is none',
    (value) => {
      expect(decodeHeader(value)).toBeUndefined();
    },
  );
});

describe('headers of marked arguments', () => {
  const schema = {
    type: 'object',
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      limits: { type: 'object', properties: { rows: { type: 'integer', 'x-mcp-header': 'Rows' } } },
    },
  };
  const tools = [
    { name: 'other', inputSchema: { 'x-mcp-header': 'Root' } },
    { name: 'query', inputSchema: schema },
  ];
  const check = createArgumentHeaderCheck();
  it.each<[string, IncomingHttpHeaders, JsonObject, boolean]>([
    ['nothing said, nothing given', {}, {}, true],
    [
      'the same',
      { 'mcp-param-region': 'eu', 'mcp-param-rows': '5' },
      { region: 'eu', limits: { rows: 5 } },
      true,
    ],
    ['a number written otherwise', { 'mcp-param-rows': '5.0' }, { limits: { rows: 5 } }, true],
    ['base64', { 'mcp-param-region': '=?base64?w6k=?=' }, { region: 'é' }, true],
    ['a header too much', { 'mcp-param-region': 'eu' }, { region: null }, true],
    ['no header', {}, { region: 'eu' }, false],
    ['another value', { 'mcp-param-region': 'us' }, { region: 'eu' }, false],
    ['a hexadecimal number', { 'mcp-param-rows': '0x5' }, { limits: { rows: 5 } }, false],
    ['broken base64', { 'mcp-param-region': '=?base64?!?=' }, { region: 'eu' }, false],
  ])('%s', (_what, headers, args, fits) => {
    const fault = check(tools, { name: 'query', arguments: args }, headers);
    if (fits) expect(fault).toBeUndefined();
    else expect(fault).toMatchObject({ status: 400, code: -32020 });
  });
});
