import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { encodeRequest } from '../../../gateway/upstream/openapi/encode.ts';
import { readOperations, type Operation } from '../../../gateway/upstream/openapi/operations.ts';

const BASE = new URL('https://api.example/v1/?key=k');

/** The one operation with the given parameters. */
async function withParameters(
  parameters: readonly object[],
  more: object = {},
  path = '/a',
): Promise<Operation> {
  const paths = { [path]: { get: { operationId: 'op', parameters, ...more } } };
  const { byName, problems } = await readOperations({ openapi: '3.1.0', paths }, []);
  expect(problems).toEqual([]);
  return byName.get('op')!;
}
const pathOf = (operation: Operation, args: JsonObject): string => encodeRequest(operation, args, BASE).path;

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
