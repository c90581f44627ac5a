import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { withDiscovery } from '../../../gateway/mcp/discovery.ts';
import { createViews, type Scope } from '../../../gateway/mcp/scope.ts';
import { createSearch } from '../../../gateway/registry/search.ts';
import { catalogOf, configOf, principalOf, tool } from './support.ts';

const { catalog, change } = catalogOf(
  configOf({
    open: { code: ', description: Code host, tools: [{ match: "delete*", effect: deny }]', mail: '' },
    secret: { vault: '' },
  }),
  {
    'open:code': { tools: [tool('listPulls', { description: 'Lists pull requests' }), tool('deleteRepo')] },
    'open:mail': { tools: [tool('send', { description: 'Sends a pull request by mail' })] },
    'secret:vault': { tools: [tool('rotate', { description: 'Rotates keys' })] },
  },
);
const views = withDiscovery(createViews(catalog), createSearch(catalog));
const ALL: Scope = { kind: 'all', discovery: true };

function call(name: string, args: unknown, scope = ALL, groups: readonly string[] | null = null): JsonObject {
  return views(principalOf(groups), scope)!.discover!({ name, arguments: args }) as unknown as JsonObject;
}

const content = (answer: JsonObject): unknown =>
  (answer['result'] as { structuredContent: unknown }).structuredContent;

describe('P179 discovery tools', () => {
  it('stand for all tools, and do not change with them', () => {
    const before = views(principalOf(), ALL)!.payloads['tools/list'];
    const { tools } = JSON.parse(before) as { tools: { name: string }[] };
    expect(tools.map(({ name }) => name)).toEqual(['search_tools', 'describe_tool', 'call_tool']);
    expect(before.length).toBeLessThan(1_500);
    change('open:mail', {
      tools: [tool('send', { description: 'Sends a pull request by mail' }), tool('more')],
    });
    expect(views(principalOf(['open']), ALL)!.payloads['tools/list']).toBe(before);
    expect(views(principalOf(), { kind: 'all' })!.discover).toBeUndefined();
  });

  it('find, describe and call a tool by its name at the address', () => {
    expect(content(call('search_tools', { query: 'list pulls' }))).toMatchObject({
      tools: [{ name: 'code__listPulls', description: 'Lists pull requests' }, { name: 'mail__send' }],
    });
    expect(content(call('describe_tool', { name: 'code__listPulls' }))).toMatchObject({
      name: 'code__listPulls',
      inputSchema: { type: 'object' },
    });
    const asked = views(principalOf(), ALL)!.discover!({
      name: 'call_tool',
      arguments: { name: 'code__listPulls', arguments: { state: 'open' } },
      _meta: { progressToken: 7 },
    });
    expect(asked).toEqual({
      params: { name: 'code__listPulls', arguments: { state: 'open' }, _meta: { progressToken: 7 } },
    });
  });

  it('reach no further than the address and the principal', () => {
    const open: Scope = { kind: 'group', group: 'open', discovery: true };
    const code: Scope = { kind: 'server', group: 'open', server: 'code', discovery: true };
    const total = (answer: JsonObject): unknown => (content(answer) as { total: number }).total;
    expect(total(call('search_tools', { query: 'rotate' }))).toBe(1);
    expect(total(call('search_tools', { query: 'rotate' }, open))).toBe(0);
    expect(total(call('search_tools', { query: 'rotate' }, ALL, ['open']))).toBe(0);
    expect(total(call('search_tools', { query: 'pull' }, code))).toBe(1);
    expect(views(principalOf(['open']), { kind: 'group', group: 'secret', discovery: true })).toBeUndefined();
    for (const name of ['describe_tool', 'call_tool']) {
      for (const hidden of ['code__deleteRepo', 'vault__rotate', 'no__such', 'search_tools']) {
        expect(call(name, { name: hidden }, ALL, ['open'])).toEqual({
          code: -32602,
          message: `Unknown tool: ${hidden}; search_tools finds the names of tools`,
        });
      }
    }
    expect(call('code__listPulls', {})).toMatchObject({ code: -32602 });
  });

  it('say what there is when nothing fits, and what is wrong with arguments', () => {
    expect(content(call('search_tools', { query: 'weather' }, ALL, ['open']))).toEqual({
      total: 0,
      tools: [],
      servers: [
        { name: 'code', description: 'Code host' },
        { name: 'mail', description: '' },
      ],
    });
    const wrong = [
      call('search_tools', {}),
      call('search_tools', { query: 'x', limit: 21 }),
      call('search_tools', { query: 'x', more: 1 }),
      call('describe_tool', { name: 3 }),
      call('call_tool', { name: 'mail__send', arguments: [] }),
    ];
    for (const answer of wrong) expect(answer).toMatchObject({ result: { isError: true } });
  });
});
