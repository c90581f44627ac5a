import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecide } from '../../../gateway/access/decide.ts';
import { parseConfig } from '../../../gateway/config/load.ts';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { createArgumentValidator } from '../../../gateway/pipeline/arguments.ts';
import { newFacts, type Call, type Outcome } from '../../../gateway/pipeline/call.ts';
import { createPipeline } from '../../../gateway/pipeline/pipeline.ts';
import { decideStage, upstreamStage, validateStage } from '../../../gateway/pipeline/stages.ts';
import { registryView } from '../../../gateway/registry/view.ts';
import { catalogOf, parsed, principalOf, tool, type Offer } from './support.ts';

const ADD = tool('add', {
  description: 'Adds',
  inputSchema: {
    type: 'object',
    properties: { a: { type: 'number' }, b: { type: 'number' }, precision: { type: 'integer' } },
    required: ['a', 'b', 'precision'],
    additionalProperties: false,
  },
});
const DELETE = tool('deleteAll', { annotations: { destructiveHint: true } });

const textOf = (tools: readonly object[], more: object = {}): string =>
  JSON.stringify({
    version: 1,
    groups: [{ name: 'g', servers: [{ name: 's', command: 'x', tools, ...more }] }],
  });

/** A server behind the catalog and the pipeline, with the `params` of each call that reached it. */
function world(rules: readonly object[], offer: Offer, more: object = {}) {
  const config = parsed(textOf(rules, more));
  const reached: JsonObject[] = [];
  const answer: Offer['answer'] = (_method, params) => {
    reached.push(params);
    return Promise.resolve({ content: [] });
  };
  const { catalog, decide, upstreams } = catalogOf(config, { 'g:s': { answer, ...offer } });
  const stages = [
    decideStage(decide, catalog, Date.now),
    validateStage(createArgumentValidator(), catalog),
    upstreamStage(upstreams, catalog),
  ];
  const pipeline = createPipeline(stages, (error) => {
    throw error;
  });
  const principal = principalOf();
  const call = (name: string, args: JsonObject = {}): Promise<Outcome> =>
    pipeline.run({
      traceId: '0'.repeat(32),
      source: 'api',
      principal,
      target: { serverId: 'g:s', kind: 'tool', name },
      params: { name, arguments: args },
      signal: new AbortController().signal,
      facts: newFacts(null),
    } satisfies Call);
  return {
    reached,
    call,
    listed: () => catalog.tools(principal, catalog.entry('g:s')!),
    view: (as = principal) =>
      registryView(as, catalog, config, createDecide(config), '1').groups[0]!.servers[0]!,
  };
}

const refusalOf = (outcome: Outcome) => (outcome.ok ? undefined : outcome.refusal);

describe('a tool that the configuration overrides', () => {
  it('is listed renamed, described and annotated anew, and reached by the name it has there', async () => {
    const { listed, call, reached } = world(
      [
        {
          match: 'add',
          rename: 'sum',
          title: 'Sum',
          description: 'Adds two numbers',
          annotations: { readOnlyHint: true },
        },
      ],
      { tools: [{ ...ADD, 'x-odd': [1], annotations: { openWorldHint: false } }] },
    );
    expect(listed()).toEqual([
      {
        ...ADD,
        'x-odd': [1],
        name: 'sum',
        title: 'Sum',
        description: 'Adds two numbers',
        annotations: { openWorldHint: false, readOnlyHint: true },
      },
    ]);
    const args = { a: 1, b: 2, precision: 3 };
    expect(await call('sum', args)).toMatchObject({ ok: true });
    expect(reached).toEqual([{ name: 'add', arguments: args }]);
    expect(refusalOf(await call('add', args))?.reason).toBe('not-found');
  });

  it('takes its defaults from the configuration, unless the caller gives a value', async () => {
    const { listed, call, reached } = world([{ match: 'add', defaults: { precision: 2 } }], { tools: [ADD] });
    expect(listed()[0]!['inputSchema']).toEqual({
      type: 'object',
      properties: {
        a: { type: 'number' },
        b: { type: 'number' },
        precision: { type: 'integer', default: 2 },
      },
      required: ['a', 'b'],
      additionalProperties: false,
    });
    await call('add', { a: 1, b: 2 });
    await call('add', { a: 1, b: 2, precision: 9 });
    expect(reached.map(({ arguments: sent }) => sent)).toEqual([
      { a: 1, b: 2, precision: 2 },
      { a: 1, b: 2, precision: 9 },
    ]);
    expect(refusalOf(await call('add', { a: 1, b: 2, precision: 'x' }))?.reason).toBe('invalid-arguments');
  });

  it('gets what is fixed and never the caller’s own value of it, nor shows it', async () => {
    const rules = [{ match: 'add', fixed: { b: 5, precision: 0 } }];
    const { listed, call, reached } = world(rules, { tools: [ADD] });
    expect(listed()[0]!['inputSchema']).toEqual({
      type: 'object',
      properties: { a: { type: 'number' } },
      required: ['a'],
      additionalProperties: false,
    });
    await call('add', { a: 1 });
    expect(reached).toEqual([{ name: 'add', arguments: { a: 1, b: 5, precision: 0 } }]);
    const refused = refusalOf(await call('add', { a: 1, b: 5 }));
    expect(refused).toEqual({
      reason: 'invalid-arguments',
      message: 'add: "b" is set by the gateway; leave it out',
      rule: 'fixed-argument',
    });
    expect(reached).toHaveLength(1);
  });

  it('gets a secret that is fixed, which nobody sees; without its value it is left out', async () => {
    const rules = [
      { match: 'a', fixed: { auth: { key: 'Key ${secret:known}' }, n: 1 } },
      { match: 'b', fixed: { key: '${secret:unknown}' } },
    ];
    const { listed, call, reached, view } = world(rules, { tools: [tool('a'), tool('b'), tool('c')] });
    expect(listed().map(({ name }) => name)).toEqual(['a', 'c']);
    await call('a');
    expect(reached).toEqual([{ name: 'a', arguments: { auth: { key: 'Key canary-value' }, n: 1 } }]);
    expect(JSON.stringify([listed(), view()])).not.toContain('canary');
    expect(refusalOf(await call('b'))?.reason).toBe('not-found');
    expect(view().warnings).toContainEqual(
      '"b" is left out: ${secret:unknown} has no value: set the secret "unknown"',
    );
  });

  it('takes a property from the first rule that sets it, and the rest from later ones', () => {
    const { listed } = world(
      [
        { match: 'a*', description: 'first', defaults: { a: 1 } },
        {
          match: 'add',
          description: 'second',
          title: 'T',
          defaults: { a: 2, b: 3 },
          fixed: { precision: 1 },
        },
        { match: '@all', annotations: { idempotentHint: true, readOnlyHint: true } },
        { match: '@write', annotations: { readOnlyHint: false } },
      ],
      { tools: [ADD] },
    );
    expect(listed()[0]).toMatchObject({
      description: 'first',
      title: 'T',
      annotations: { idempotentHint: true, readOnlyHint: true },
      inputSchema: { properties: { a: { default: 1 }, b: { default: 3 } } },
    });
  });

  it('is judged by the server’s own name, and by the annotations it is shown with', () => {
    const { listed } = world(
      [
        { match: 'deleteAll', rename: 'tidy', annotations: { destructiveHint: false } },
        { match: '@destructive', effect: 'deny' },
        { match: 'tidy', effect: 'deny' },
      ],
      { tools: [DELETE, tool('eraseAll'), tool('tidy')] },
    );
    expect(listed().map(({ name }) => name)).toEqual(['tidy']);
  });

  it('is not allowed by a rule that only changes how it looks', () => {
    const { listed } = world([{ match: 'add', rename: 'sum' }], { tools: [ADD] }, { unlistedTools: 'deny' });
    expect(listed()).toEqual([]);
  });

  it('keeps the name it was given from a tool that the server calls so, and both are named', async () => {
    const { listed, call, reached, view } = world([{ match: 'add', rename: 'sum' }], {
      tools: [tool('sum'), tool('add')],
    });
    expect(listed().map(({ name }) => name)).toEqual(['sum']);
    await call('sum');
    expect(reached).toEqual([{ name: 'add', arguments: {} }]);
    expect(view().warnings).toEqual([
      '"sum" is left out: the configuration gives its name to "add"; rename one of the two',
    ]);
    expect(view(principalOf(['g'])).warnings).toEqual([]);
  });

  it('can change names with another', async () => {
    const { call, reached } = world(
      [
        { match: 'a', rename: 'b' },
        { match: 'b', rename: 'a' },
      ],
      { tools: [tool('a'), tool('b')] },
    );
    await call('a');
    await call('b');
    expect(reached.map(({ name }) => name)).toEqual(['b', 'a']);
  });

  it('has a warning for an argument that it does not take', () => {
    const { view } = world([{ match: '@all', fixed: { tenant: 'acme' } }], { tools: [tool('a')] });
    expect(view().warnings).toEqual(['the configuration sets "tenant" of "a", which has no such argument']);
  });
});

const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 5 });
const value = fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.constant({ deep: [1] }));
const args = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', '__proto__', 'constructor'), value);

describe('whatever the configuration says', () => {
  it('each name listed leads to the one tool it was made of, and no other name leads anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'x'), fc.constantFrom('a', 'b', 'c', 'y', 'z')), {
          maxLength: 5,
        }),
        async (own, renames) => {
          const rules = renames.map(([match, rename]) => ({ match, rename }));
          // Renames that would collide are an error of the configuration.
          fc.pre(parseConfig(textOf(rules)).ok);
          const { listed, call, reached } = world(rules, {
            tools: own.map((name) => tool(name, { description: `is ${name}` })),
          });
          const shown = listed();
          expect(new Set(shown.map(({ name }) => name)).size).toBe(shown.length);
          for (const name of ['a', 'b', 'c', 'd', 'e', 'x', 'y', 'z']) {
            const item = shown.find((one) => one.name === name);
            const { ok } = await call(name);
            expect(ok).toBe(item !== undefined);
            if (item !== undefined) expect(item['description']).toBe(`is ${String(reached.at(-1)!['name'])}`);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('no caller changes a fixed argument, and what the caller gives beside it arrives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom('a', 'b', 'c'), value),
        fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), value),
        args,
        async (fixed, defaults, given) => {
          fc.pre(!JSON.stringify({ fixed, defaults }).includes('${'));
          fc.pre(Object.keys(fixed).length + Object.keys(defaults).length > 0);
          const rules = [
            ...(Object.keys(fixed).length > 0 ? [{ match: 't', fixed }] : []),
            ...(Object.keys(defaults).length > 0 ? [{ match: '@all', defaults }] : []),
          ];
          const { call, reached } = world(rules, { tools: [tool('t')] });
          const taken = Object.keys(given).some((name) => Object.hasOwn(fixed, name));
          expect((await call('t', given)).ok).toBe(!taken);
          if (taken) expect(reached).toEqual([]);
          else expect(reached[0]!['arguments']).toEqual({ ...defaults, ...given, ...fixed });
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('the configuration of tools', () => {
  it.each([
    ['nothing but a match', [{ match: 'a' }], 'tools[0]', 'says nothing'],
    [
      'an unknown selector',
      [{ match: '@readonly', effect: 'deny' }],
      'tools[0].match',
      'unknown selector "@readonly"',
    ],
    ['a name for many', [{ match: 'a*', rename: 'b' }], 'tools[0].rename', 'can match several'],
    ['a name that no model takes', [{ match: 'a', rename: 'a b' }], 'tools[0].rename', '64 letters'],
    ['a long name', [{ match: 'a', rename: 'a'.repeat(65) }], 'tools[0].rename', '64 letters'],
    [
      'fixed and default',
      [{ match: 'a', fixed: { x: 1 }, defaults: { x: 2 } }],
      'tools[0].defaults.x',
      'is fixed',
    ],
    [
      'a reference that would be shown',
      [{ match: 'a', defaults: { x: '${secret:k}' } }],
      'tools[0].defaults',
      'no reference',
    ],
    [
      'an unknown hint',
      [{ match: 'a', annotations: { readOnly: true } }],
      'tools[0].annotations.readOnly',
      'readOnlyHint',
    ],
    [
      'one name for two',
      [
        { match: 'a', rename: 'x' },
        { match: 'b', rename: 'x' },
      ],
      'tools[1].rename',
      '"b" cannot be "x": tools[0] gives that name to "a"',
    ],
  ])('refuses %s, and says where', (_what, tools, path, words) => {
    const result = parseConfig(textOf(tools));
    const issues = result.ok ? [] : result.issues;
    expect(issues[0]).toMatchObject({
      path: `groups[0].servers[0].${path}`,
      message: expect.stringContaining(words),
    });
  });
});
