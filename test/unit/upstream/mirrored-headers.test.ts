import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  argumentHeaders,
  encodeHeader,
  readMarks,
  standardHeaders,
} from '../../../gateway/upstream/mirrored-headers.ts';

const decode = (value: string): string => {
  const [, text] = /^=\?base64\?(.*)\?=$/.exec(value) ?? [];
  return text === undefined ? value : Buffer.from(text, 'base64').toString('utf8');
};

describe('a header’s value', () => {
  it.each([
    ['us-west1', 'us-west1'],
    ['us west 1', 'us west 1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['', '=?base64??='],
  ])('%j is sent as %j', (value, sent) => {
    expect(encodeHeader(value)).toBe(sent);
  });

  it('never breaks a line nor leaves ASCII, and tells what it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        const sent = encodeHeader(value);
        expect(sent).toMatch(/^[\x20-\x7e\t]*$/);
        expect(sent.trim()).toBe(sent);
        expect(decode(sent)).toBe(value);
      }),
    );
  });
});

describe('the standard headers', () => {
  it('name the method, and what it is for', () => {
    expect(standardHeaders('tools/list', {})).toEqual({ 'mcp-method': 'tools/list' });
    expect(standardHeaders('tools/call', { name: 'größe' })).toEqual({
      'mcp-method': 'tools/call',
      'mcp-name': `=?base64?${Buffer.from('größe').toString('base64')}?=`,
    });
    expect(standardHeaders('resources/read', { uri: 'file:///a' })).toMatchObject({
      'mcp-name': 'file:///a',
    });
  });
});

const schema = (properties: object, more: object = {}): object => ({ type: 'object', properties, ...more });
const marked = (mark: unknown, type: unknown = 'string'): object => ({ type, 'x-mcp-header': mark });

describe('the marks of a schema', () => {
  it('are read at any depth, and their arguments sent', () => {
    const marks = readMarks(
      schema({
        region: marked('Region'),
        count: marked('Count', 'integer'),
        where: schema({ dry: marked('Dry', 'boolean') }),
        plain: { type: 'string' },
      }),
    );
    if ('fault' in marks) throw new Error(marks.fault);
    const args = { region: 'eu', count: 42, where: { dry: false }, plain: 'secret' };
    expect(argumentHeaders(marks.marked, args)).toEqual({
      'mcp-param-region': 'eu',
      'mcp-param-count': '42',
      'mcp-param-dry': 'false',
    });
  });

  it('send nothing for what is absent, null, of another type or inherited', () => {
    const marks = readMarks(
      schema({ a: marked('A'), b: marked('B'), toString: marked('C'), d: marked('D', 'integer') }),
    );
    if ('fault' in marks) throw new Error(marks.fault);
    expect(argumentHeaders(marks.marked, { a: null, b: { c: 1 }, d: 2 ** 60 })).toEqual({});
    expect(argumentHeaders(marks.marked, undefined)).toEqual({});
  });

  it('that stand among data or as a property’s name are none', () => {
    expect(readMarks(schema({ a: { type: 'object', default: { 'x-mcp-header': '' } } }))).toEqual({
      marked: [],
    });
    expect(readMarks(schema({ 'x-mcp-header': { type: 'string' } }))).toEqual({ marked: [] });
  });

  it.each([
    ['an empty name', schema({ a: marked('') })],
    ['a space', schema({ a: marked('My Region') })],
    ['a colon', schema({ a: marked('a:b') })],
    ['a line break', schema({ a: marked('a\r\nX-Evil: 1') })],
    ['no ASCII', schema({ a: marked('Région') })],
    ['no string', schema({ a: marked(1) })],
    ['an object', schema({ a: marked('A', 'object') })],
    ['a number', schema({ a: marked('A', 'number') })],
    ['no type', schema({ a: { 'x-mcp-header': 'A' } })],
    ['a name in use', schema({ a: marked('A'), b: marked('a') })],
    ['items', schema({ a: { type: 'array', items: marked('A') } })],
    ['a choice', schema({ a: { oneOf: [marked('A')] } })],
    ['a definition', schema({}, { $defs: { a: marked('A') } })],
    ['a condition', schema({}, { then: schema({ a: marked('A') }) })],
    ['the root', { type: 'string', 'x-mcp-header': 'A' }],
  ])('make a tool unusable at or with %s', (_what, inputSchema) => {
    expect(readMarks(inputSchema)).toHaveProperty('fault');
  });
});
