import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { createArgumentValidator } from '../../../gateway/pipeline/arguments.ts';
import { createDispatchers } from '../../../gateway/upstream/dispatcher.ts';
import { loadDocument } from '../../../gateway/upstream/openapi/document.ts';
import { encodeRequest } from '../../../gateway/upstream/openapi/encode.ts';
import {
  readOperations,
  type Operation,
  type Operations,
} from '../../../gateway/upstream/openapi/operations.ts';
import { PET_DOCUMENT } from '../../support/pet-api.ts';

const dispatchers = createDispatchers();
afterAll(() => dispatchers.close());
const BASE = new URL('https://api.example/v1/?key=k');

async function load(text: string, name = 'api.json'): Promise<JsonObject> {
  const location = join(await mkdtemp(join(tmpdir(), 'toolgate-openapi-')), name);
  await writeFile(location, text);
  const dispatcher = dispatchers.for(false);
  return loadDocument({ location, headers: {}, dispatcher }, new AbortController().signal);
}

/** The operations of a document with the given paths. */
function operations(paths: object, components: object = {}): Promise<Operations> {
  return readOperations({ openapi: '3.1.0', paths, components }, ['X-Key']);
}

/** The one operation with the given parameters, at `/a/{p}` where one is in the path. */
async function withParameters(
  parameters: readonly object[],
  more: object = {},
  path = '/a',
): Promise<Operation> {
  const { byName, problems } = await operations({
    [path]: { get: { operationId: 'op', parameters, ...more } },
  });
  expect(problems).toEqual([]);
  return byName.get('op')!;
}
const pathOf = (operation: Operation, args: JsonObject): string => encodeRequest(operation, args, BASE).path;

describe('an OpenAPI document', () => {
  it('becomes a tool for each operation that can be called, and says why the others do not', async () => {
    const { byName, problems } = await readOperations(await load(JSON.stringify(PET_DOCUMENT)), []);
    expect([...byName.keys()]).toEqual([
      'listPets',
      'createPet',
      'getPet',
      'delete_pets_petId',
      'getPhoto',
      'echo',
      'large',
      'moved',
      'slow',
    ]);
    expect(problems).toEqual([
      'PUT /pets/{petId}/photo is left out: it takes image/png, none of which is supported',
      'GET /elsewhere is left out: "https://other.example/p.json#/x" is in another document, which is not fetched; put all into one',
    ]);
    expect(byName.get('listPets')!.tool).toEqual({
      name: 'listPets',
      title: 'List pets',
      description: 'List pets',
      inputSchema: {
        type: 'object',
        properties: { limit: { type: 'integer', maximum: 100, description: 'How many' } },
        required: [],
        additionalProperties: false,
      },
      annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: true },
    });
    expect(byName.get('delete_pets_petId')!.tool).toMatchObject({
      description: 'Deprecated. DELETE /pets/{petId}',
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    });
    expect(byName.get('createPet')!.tool['annotations']).toEqual({
      readOnlyHint: false,
      openWorldHint: true,
    });
  });

  it('gives schemas without references, of today’s JSON Schema, and open where they hold themselves', async () => {
    const { byName } = await readOperations(await load(JSON.stringify(PET_DOCUMENT)), []);
    expect(byName.get('createPet')!.tool['inputSchema']).toEqual({
      type: 'object',
      properties: {
        body: {
          type: 'object',
          required: ['id', 'name'],
          properties: {
            id: { type: 'string' },
            name: { type: 'string' },
            tag: { type: ['string', 'null'] },
            parent: {},
          },
        },
      },
      required: ['body'],
      additionalProperties: false,
    });
  });

  it('may be YAML, and Swagger 2.0', async () => {
    const { byName } = await readOperations(
      await load(
        `swagger: '2.0'
info: { title: T, version: '1' }
paths:
  /things/{id}:
    put:
      operationId: put.thing
      parameters:
        - { name: id, in: path, required: true, type: integer }
        - { name: thing, in: body, required: true, schema: { type: object, properties: { a: { type: string } } } }
`,
        'api.yaml',
      ),
      [],
    );
    const operation = byName.get('put_thing')!;
    expect(operation.tool['annotations']).toMatchObject({ readOnlyHint: false, idempotentHint: true });
    expect(encodeRequest(operation, { id: 4, body: { a: 'x' } }, BASE)).toMatchObject({
      method: 'PUT',
      path: '/v1/things/4?key=k',
      body: '{"a":"x"}',
      headers: { 'content-type': 'application/json' },
    });
  });

  it.each([
    ['{', 'neither JSON nor YAML'],
    ['[]', 'holds no object'],
    ['{"a": 1}', 'neither "openapi" nor "swagger"'],
    ['{"openapi": "4.0.0"}', '"4.0.0"'],
    ['a: &x [*x, *x]\nb: *nowhere', 'neither JSON nor YAML'],
  ])('is refused in words when it is %j', async (text, words) => {
    await expect(load(text)).rejects.toThrow(words);
  });

  it('has names that model APIs take, each once', async () => {
    const get = (operationId?: string): object => ({ get: { operationId } });
    const long = 'x'.repeat(80);
    const { byName, problems } = await operations({
      '/a b/{c}': { get: { parameters: [{ name: 'c', in: 'path' }] } },
      '/1': get(long),
      '/2': get(`${long}y`),
      '/3': get('same'),
      '/4': get('same'),
      '/5': get('Ünï'),
    });
    const names = [...byName.keys()];
    expect(names).toHaveLength(5);
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    expect(names[0]).toBe('get_a_b_c');
    expect(problems).toEqual(['GET /4 is left out: the name "same" is that of another operation']);
  });

  it('keeps schemas within bounds, and usable, whatever is in it', async () => {
    const wide = Object.fromEntries(
      Array.from({ length: 300 }, (_, i) => [
        `p${i}`,
        { $ref: '#/components/schemas/Deep', description: 'd'.repeat(900) },
      ]),
    );
    const Deep: JsonObject = {
      type: 'object',
      $id: 'https://x.example/s',
      properties: {
        a: { type: 'string', pattern: '(?<bad' },
        b: { allOf: [{ $ref: '#/components/schemas/Deep' }] },
      },
      'x-odd': 1,
    };
    const { byName } = await operations(
      {
        '/a': {
          post: {
            operationId: 'op',
            requestBody: { content: { 'application/json': { schema: { properties: wide } } } },
          },
        },
      },
      { schemas: { Deep } },
    );
    const schema = byName.get('op')!.tool['inputSchema'] as JsonObject;
    expect(JSON.stringify(schema).length).toBeLessThan(20_000);
    expect(JSON.stringify(schema)).toContain('p299');
    expect(createArgumentValidator().check(schema, { body: { p1: { a: 'x' } } })).toBeUndefined();
  });

  it.each([
    ['loops', { $ref: '#/components/parameters/a' }, 'refers to itself'],
    ['leads nowhere', { $ref: '#/components/parameters/none' }, 'leads nowhere'],
    ['needs a cookie', { name: 'c', in: 'cookie', required: true }, 'needs the cookie "c"'],
    ['has no name', { in: 'query' }, 'has no name'],
    ['is nowhere', { name: 'x', in: 'body' }, 'is in "body"'],
  ])('leaves an operation out whose parameter %s', async (_what, parameter, words) => {
    const { byName, problems } = await operations(
      { '/a': { get: { parameters: [parameter] } } },
      { parameters: { a: { $ref: '#/components/parameters/b' }, b: { $ref: '#/components/parameters/a' } } },
    );
    expect(byName.size).toBe(0);
    expect(problems).toEqual([expect.stringContaining(words)]);
  });

  it('offers no header that is the gateway’s or a credential', async () => {
    const header = (name: string): object => ({ name, in: 'header' });
    const names = [
      'X-Key',
      'x-key',
      'Authorization',
      'Host',
      'Content-Length',
      'Cookie',
      'Proxy-Authorization',
      'a b',
    ];
    const operation = await withParameters([...names.map(header), header('X-Free')]);
    expect(operation.parameters.map(({ name }) => name)).toEqual(['X-Free']);
  });
});

describe('the request of an operation', () => {
  const query = (more: object): object => ({ name: 'q', in: 'query', ...more });
  const inPath = (more: object): object => ({ name: 'q', in: 'path', required: true, ...more });

  it.each<[string, object, unknown, string]>([
    ['form', query({}), 'a b&c=d#e', 'q=a%20b%26c%3Dd%23e'],
    ['a list', query({}), ['a', 'b,c'], 'q=a&q=b%2Cc'],
    ['a list in one', query({ explode: false }), ['a', 'b,c'], 'q=a,b%2Cc'],
    ['pipes', query({ style: 'pipeDelimited', explode: false }), ['a', 'b'], 'q=a%7Cb'],
    ['spaces', query({ style: 'spaceDelimited', explode: false }), ['a', 'b'], 'q=a%20b'],
    ['an object', query({}), { a: 1, b: true }, 'a=1&b=true'],
    ['an object in one', query({ explode: false }), { a: 1, b: 2 }, 'q=a,1,b,2'],
    [
      'a deep object',
      query({ style: 'deepObject' }),
      { a: { b: [1, 2] } },
      'q%5Ba%5D%5Bb%5D=1&q%5Ba%5D%5Bb%5D=2',
    ],
    ['JSON', query({ content: { 'application/json': {} } }), { a: [1] }, 'q=%7B%22a%22%3A%5B1%5D%7D'],
    ['nothing', query({}), undefined, ''],
    ['no items', query({}), [], ''],
  ])('writes a query in the style of %s', async (_what, parameter, value, expected) => {
    const path = pathOf(await withParameters([parameter]), { q: value });
    expect(path).toBe(`/v1/a?key=k${expected === '' ? '' : `&${expected}`}`);
  });

  it.each<[string, object, unknown, string]>([
    ['simple', inPath({}), 'a/b c', 'a%2Fb%20c'],
    ['a list', inPath({}), ['a', 'b'], 'a,b'],
    ['an object', inPath({ explode: true }), { a: 1, b: 2 }, 'a=1,b=2'],
    ['label', inPath({ style: 'label' }), 'x', '.x'],
    ['matrix', inPath({ style: 'matrix' }), 'x', ';q=x'],
    ['a matrix of a list', inPath({ style: 'matrix', explode: true }), ['x', 'y'], ';q=x;q=y'],
  ])('writes a path in the style of %s', async (_what, parameter, value, expected) => {
    const operation = await withParameters([parameter], {}, '/a/{q}/b');
    expect(pathOf(operation, { q: value })).toBe(`/v1/a/${expected}/b?key=k`);
  });

  it.each(['..', '.', '../admin', 'a/../b', '..\\b', '%2e%2e', '%252e%252e/x', '..;/x', '', [], ['..']])(
    'is not made of the path argument %j, which would lead elsewhere',
    async (value) => {
      const operation = await withParameters([inPath({})], {}, '/a/{q}/b');
      expect(() => pathOf(operation, { q: value })).toThrow(/must not/);
    },
  );

  it('puts two arguments together to no step up either', async () => {
    const two = [inPath({}), { name: 'r', in: 'path', required: true }];
    const operation = await withParameters(two, {}, '/a/{q}{r}/b');
    expect(() => pathOf(operation, { q: '.', r: '.' })).toThrow(/must not/);
  });

  it('takes no line break into a header, and no other parameter into an object', async () => {
    const header = await withParameters([{ name: 'X-A', in: 'header' }]);
    for (const value of ['a\r\nX-B: c', 'a\nb', '\0', 'ü'])
      expect(() => pathOf(header, { 'X-A': value })).toThrow('"X-A"');
    const object = await withParameters([query({}), { name: 'admin', in: 'query' }]);
    for (const name of ['admin', 'key'])
      expect(() => pathOf(object, { q: { [name]: 1 } })).toThrow(`must not hold "${name}"`);
  });

  it('writes forms and text', async () => {
    const body = (type: string): Promise<Operation> =>
      withParameters([], { requestBody: { content: { [type]: { schema: {} } } } });
    const form = encodeRequest(
      await body('application/x-www-form-urlencoded'),
      { body: { a: 'x y', b: [1, 2] } },
      BASE,
    );
    expect(form).toMatchObject({
      body: 'a=x%20y&b=1&b=2',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(encodeRequest(await body('text/plain'), { body: 'hello' }, BASE).body).toBe('hello');
    expect(encodeRequest(await body('application/json'), {}, BASE).body).toBeNull();
  });

  it('stays in its place whatever the arguments: under its base, in its own part of path and query', async () => {
    const operation = await withParameters(
      [
        inPath({}),
        { name: 'text', in: 'query' },
        { name: 'list', in: 'query', explode: false },
        { name: 'X-A', in: 'header' },
      ],
      {},
      '/a/{q}/end',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[./\\%2eE5c;?#&=\r\n]*$/),
      fc.constantFrom('\ud800', '__proto__'),
    );
    fc.assert(
      fc.property(text, text, fc.array(text), text, (q, free, list, header) => {
        let request;
        try {
          request = encodeRequest(operation, { q, text: free, list, 'X-A': header }, BASE);
        } catch {
          return;
        }
        const url = new URL(request.path, BASE.origin);
        expect(request.path).toMatch(/^[\x21-\x7e]*$/);
        expect(url.origin).toBe(BASE.origin);
        expect(url.pathname.split('/')).toHaveLength(5);
        expect(url.pathname).toMatch(/^\/v1\/a\/.+\/end$/);
        expect([...url.searchParams.keys()].every((name) => ['key', 'text', 'list'].includes(name))).toBe(
          true,
        );
        expect(url.searchParams.get('text')).toBe(free.replace(/\p{Surrogate}/gu, '\ufffd'));
        expect(Object.values(request.headers).join('')).not.toMatch(/[\r\n\0]/);
      }),
      { numRuns: 500 },
    );
  });
});
