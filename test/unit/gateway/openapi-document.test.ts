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
import { readOperations, type Operations } from '../../../gateway/upstream/openapi/operations.ts';
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

  it('keeps of a schema what is right, and refuses nothing for what was left open or is wrong', async () => {
    const one = {
      oneOf: [
        { type: 'string', format: 'date' },
        { type: 'string', format: 'uuid' },
      ],
      nullable: true,
    };
    const schema = {
      type: 'object',
      properties: {
        one,
        name: { type: 'string', required: true, minLength: -1, pattern: '[' },
        odd: { type: 'file', enum: [], items: [{}] },
        both: { anyOf: [{ type: 'string' }], oneOf: [{ type: 'string' }, { type: 'number' }] },
      },
      required: ['name', 'name'],
      not: { required: ['nothing'] },
      unevaluatedProperties: false,
    };
    const { byName } = await operations({
      '/a': { post: { operationId: 'op', requestBody: { content: { 'application/json': { schema } } } } },
    });
    const shown = byName.get('op')!.tool['inputSchema'] as JsonObject;
    expect((shown['properties'] as JsonObject)['body']).toEqual({
      type: 'object',
      properties: {
        one: {
          anyOf: [
            {
              anyOf: [
                { type: 'string', format: 'date' },
                { type: 'string', format: 'uuid' },
              ],
            },
            { type: 'null' },
          ],
        },
        name: { type: 'string' },
        odd: { items: {} },
        both: { anyOf: [{ type: 'string' }], allOf: [{ anyOf: [{ type: 'string' }, { type: 'number' }] }] },
      },
      required: ['name'],
    });
    const check = createArgumentValidator().check;
    expect(check(shown, { body: { name: 'x', one: '2020-01-01', odd: [1], both: 'y' } })).toBeUndefined();
    expect(check(shown, { body: { one: null } })).toContain('name');
  });

  it('gives usable schemas whatever its own are', async () => {
    const validator = createArgumentValidator();
    const key = fc.constantFrom(
      'type',
      'required',
      'enum',
      'properties',
      'items',
      'oneOf',
      'allOf',
      'not',
      'pattern',
      'minimum',
      'maxLength',
      'additionalProperties',
      'description',
      '$ref',
      '$id',
      'const',
      'dependentRequired',
      'nullable',
      '__proto__',
    );
    const { schema } = fc.letrec<{ schema: unknown; leaf: unknown }>((tie) => ({
      leaf: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(
          'string',
          'object',
          'file',
          '#/components/schemas/A',
          '#',
          '[',
          ['a'],
          ['string', 'null'],
          true,
          null,
          -1,
          3,
        ),
        fc.dictionary(fc.constantFrom('a', 'b'), tie('schema'), { maxKeys: 2 }),
        fc.array(tie('schema'), { maxLength: 2 }),
      ),
      schema: fc.dictionary(key, tie('leaf'), { maxKeys: 4 }),
    }));
    await fc.assert(
      fc.asyncProperty(schema, async (one) => {
        const content = { 'application/json': { schema: one } };
        const { byName, problems } = await operations(
          { '/a': { post: { operationId: 'op', requestBody: { content } } } },
          { schemas: { A: one } },
        );
        expect(byName.size + problems.length).toBe(1);
        const shown = byName.get('op')?.tool['inputSchema'];
        if (shown !== undefined) expect(validator.check(shown, {})).toBeUndefined();
      }),
      { numRuns: 300 },
    );
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
    const parameters = [...names.map(header), header('X-Free')];
    const { byName } = await operations({ '/a': { get: { operationId: 'op', parameters } } });
    expect(byName.get('op')!.parameters.map(({ name }) => name)).toEqual(['X-Free']);
  });
});
