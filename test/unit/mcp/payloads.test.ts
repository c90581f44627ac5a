import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { cacheable, complete, createPayloads } from '../../../gateway/mcp/modern/payloads.ts';
import { createViews } from '../../../gateway/mcp/scope.ts';
import { catalogOf, configOf, principalOf, tool } from '../gateway/support.ts';

function payloadsOf(count: number) {
  const tools = Array.from({ length: count }, (_, index) => tool(`tool-${index}`));
  const { catalog } = catalogOf(configOf({ g: { s: '' } }), { 'g:s': { tools } });
  const view = createViews(catalog)(principalOf(), { kind: 'server', group: 'g', server: 's' })!;
  const payloads = createPayloads('1');
  return { view, payloads, made: payloads(view) };
}

describe('lists of the modern era', () => {
  it('come in pages that hold everything once, in order', () => {
    const { made } = payloadsOf(2_500);
    const names: unknown[] = [];
    let cursor: unknown;
    let pages = 0;
    do {
      const page = JSON.parse(made.page('tools/list', cursor) ?? '') as JsonObject;
      expect(page).toMatchObject({ resultType: 'complete', cacheScope: 'private' });
      names.push(...(page['tools'] as { name: string }[]).map(({ name }) => name));
      cursor = page['nextCursor'];
      pages++;
    } while (cursor !== undefined);
    expect(pages).toBe(3);
    expect(names).toEqual(Array.from({ length: 2_500 }, (_, index) => `tool-${index}`));
  });

  it('know their own cursors only', () => {
    const { made } = payloadsOf(10);
    for (const cursor of ['', 'x', 'cGFnZSAx', 0, null, {}, 'cGFnZSAwMQ'])
      expect(made.page('tools/list', cursor)).toBeUndefined();
  });

  it('are one page when empty, and are made once for a view', () => {
    const { made, payloads, view } = payloadsOf(0);
    expect(JSON.parse(made.page('prompts/list', undefined) ?? '')).toMatchObject({ prompts: [] });
    expect(payloads(view)).toBe(made);
  });
});

describe('results of the modern era', () => {
  it('have a type, their own where they have one', () => {
    expect(complete({ a: 1 })).toEqual({ a: 1, resultType: 'complete' });
    const asked = { resultType: 'input_required' };
    expect(complete(asked)).toBe(asked);
  });

  it.each([
    [
      { ttlMs: 60_000, cacheScope: 'public' },
      { ttlMs: 60_000, cacheScope: 'private' },
    ],
    [{ ttlMs: -1 }, { ttlMs: 0, cacheScope: 'private' }],
    [{ ttlMs: '5' }, { ttlMs: 0, cacheScope: 'private' }],
    [{}, { ttlMs: 0, cacheScope: 'private' }],
  ])('%j may be kept as %j says', (given, kept) => {
    expect(cacheable(given)).toEqual(kept);
  });
});
