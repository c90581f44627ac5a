import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createArgumentValidator } from '../../../gateway/pipeline/arguments.ts';

const check = (schema: unknown, value: unknown): string | undefined =>
  createArgumentValidator().check(schema, value);

const ADD = {
  type: 'object',
  properties: { a: { type: 'number' }, b: { type: 'number' } },
  required: ['a', 'b'],
  additionalProperties: false,
};

describe('P26 arguments', () => {
  it('that fit pass', () => {
    expect(check(ADD, { a: 1, b: 2 })).toBeUndefined();
    expect(check({ type: 'object' }, { anything: [1] })).toBeUndefined();
  });

  it.each([
    [{ a: 1 }, "arguments must have required property 'b'"],
    [{ a: 1, b: '2' }, 'b must be number'],
    [{ a: 1, b: 2, c: 3 }, 'arguments must NOT have additional properties ("c")'],
    [
      JSON.parse('{"a":1,"b":2,"__proto__":{}}'),
      'arguments must NOT have additional properties ("__proto__")',
    ],
    [{}, "arguments must have required property 'a'"],
    [[], 'arguments must be object'],
    [null, 'arguments must be object'],
  ])('%j do not, and the field is named', (value, problem) => {
    expect(check(ADD, value)).toBe(problem);
  });

  it('name a field inside others by its path', () => {
    const schema = {
      type: 'object',
      properties: {
        rows: { type: 'array', items: { type: 'object', properties: { id: { type: 'integer' } } } },
      },
    };
    expect(check(schema, { rows: [{ id: 1 }, { id: 1.5 }] })).toBe('rows.1.id must be integer');
  });

  it.each([
    ['^[a-z]{2}-\\d+$', 'ab-12', 'ab-1x'],
    ['^\\w+([.-]\\w+)*@\\w+(\\.\\w+)+$', 'a.b@example.com', 'a.b@example'],
    ['\\.(png|jpe?g)$', 'a.jpeg', 'a.gif'],
    ['^\\u00e9t\\u00e9\\/$', 'été/', 'ete/'],
    ['^\\p{Lu}', 'Éa', 'éa'],
  ])('match the pattern %s as JSON Schema has it', (pattern, good, bad) => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern } } };
    expect(check(schema, { a: good })).toBeUndefined();
    expect(check(schema, { a: bad })).toMatch(/^a must match pattern/);
  });

  it('cannot stop the gateway with a pattern that backtracks for ever', () => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } };
    expect(check(schema, { a: `${'a'.repeat(50_000)}!` })).toMatch(/^a must match pattern/);
  });

  it('have each field its own pattern', () => {
    const field = (pattern: string): object => ({ type: 'string', pattern });
    const schema = { type: 'object', properties: { a: field('^a'), b: field('^b') } };
    expect(check(schema, { a: 'a', b: 'b' })).toBeUndefined();
    expect(check(schema, { a: 'a', b: 'a' })).toMatch(/^b must match pattern/);
  });

  it('are not held to a pattern that needs backtracking: the server checks it', () => {
    const schema = { type: 'object', properties: { a: { type: 'string', pattern: '^(?=.*[0-9])x' } } };
    expect(check(schema, { a: 'no' })).toBeUndefined();
  });

  it('are never changed: no default is filled in, no type coerced, no field dropped', () => {
    const value = { n: 1, extra: true };
    const schema = {
      type: 'object',
      properties: { n: { type: 'number' }, d: { type: 'string', default: 'x' } },
    };
    expect(check(schema, value)).toBeUndefined();
    expect(value).toEqual({ n: 1, extra: true });
    expect(check({ type: 'object', properties: { n: { type: 'number' } } }, { n: '1' })).toBe(
      'n must be number',
    );
  });

  it('are not helped by what every object inherits', () => {
    const schema = { type: 'object', required: ['constructor'] };
    expect(check(schema, {})).toBe("arguments must have required property 'constructor'");
  });
});

describe('a schema', () => {
  it('is JSON Schema 2020-12 unless it says draft-07 or older', () => {
    const tuple = { prefixItems: [{ type: 'string' }], items: false };
    expect(check({ type: 'object', properties: { t: tuple } }, { t: ['a', 'b'] })).toMatch(
      /^t must NOT have/,
    );
    const old = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: { t: { items: [{ type: 'string' }], additionalItems: false } },
    };
    expect(check(old, { t: ['a', 'b'] })).toMatch(/^t must NOT have/);
    expect(check(old, { t: ['a'] })).toBeUndefined();
    for (const dialect of [
      'https://json-schema.org/draft/2020-12/schema',
      'https://nobody.example/dialect',
    ]) {
      expect(check({ $schema: dialect, ...ADD }, { a: 1 })).toContain("'b'");
    }
  });

  it.each([
    ['none', undefined],
    ['null', null],
    ['a list', []],
    ['true', true],
  ])('that is %s refuses', (_what, schema) => {
    expect(check(schema, {})).toBe('the server declares no input schema for this tool');
  });

  it.each([
    ['a type that does not exist', { type: 'objekt' }],
    ['a pattern that is none', { type: 'object', properties: { a: { type: 'string', pattern: '(' } } }],
    ['a reference to nowhere', { $ref: '#/$defs/missing' }],
    ['a reference to another document', { $ref: 'https://schemas.example/x.json' }],
    ['a list for properties', { type: 'object', properties: [] }],
  ])('with %s refuses every call, and says that it is the server’s', (_what, schema) => {
    expect(check(schema, {})).toMatch(/^the server's input schema cannot be used \(/);
  });

  it('is never fetched', async () => {
    let asked = 0;
    const server = createServer((_req, res) => {
      asked++;
      res.end('{}');
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/schema.json`;
    expect(check({ $ref: address }, {})).toContain('cannot be used');
    expect(check({ $schema: address, type: 'object' }, {})).toBeUndefined();
    expect(check({ $id: address, type: 'object' }, {})).toBeUndefined();
    await new Promise((done) => setTimeout(done, 50));
    expect(asked).toBe(0);
    server.close();
  });

  it('may share its $id with another server’s', () => {
    const validator = createArgumentValidator();
    const schema = (type: string): object => ({
      $id: 'https://same.example/input',
      type: 'object',
      properties: { x: { type } },
    });
    const [text, number] = [schema('string'), schema('number')];
    expect(validator.check(text, { x: 'a' })).toBeUndefined();
    expect(validator.check(number, { x: 1 })).toBeUndefined();
    expect(validator.check(text, { x: 1 })).toBe('x must be string');
    expect(validator.check(number, { x: 'a' })).toBe('x must be number');
  });

  it('may refer within itself', () => {
    const schema = {
      type: 'object',
      properties: { tree: { $ref: '#/$defs/node' } },
      $defs: {
        node: { type: 'object', properties: { kids: { type: 'array', items: { $ref: '#/$defs/node' } } } },
      },
    };
    expect(check(schema, { tree: { kids: [{ kids: [] }] } })).toBeUndefined();
    expect(check(schema, { tree: { kids: [{ kids: 1 }] } })).toBe('tree.kids.0.kids must be array');
  });
});
