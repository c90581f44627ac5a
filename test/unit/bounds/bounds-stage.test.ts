import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeptResults } from '../../../gateway/bounds/kept-results.ts';
import { CHARS_PER_TOKEN } from '../../../gateway/bounds/measure.ts';
import { pageEnds, pageOf } from '../../../gateway/bounds/pages.ts';
import type { ResultBounds } from '../../../gateway/config/policies/bounds.ts';
import { isJsonObject, type JsonObject } from '../../../gateway/contract/json.ts';
import { WHOLE_SCOPE } from '../../../gateway/identity/principal.ts';
import { createArgumentValidator } from '../../../gateway/pipeline/arguments.ts';
import { boundsStage } from '../../../gateway/pipeline/bounds.ts';
import { newFacts, type Call, type Outcome } from '../../../gateway/pipeline/call.ts';
import { createRuling } from '../../../gateway/pipeline/ruling.ts';
import { resultShape } from '../../../gateway/pipeline/shrink.ts';
import { catalogOf, parsed, tool } from '../gateway/support.ts';

/** P62 P63 What is over its bounds does not come through as it is. */
const SCHEMA = {
  type: 'object',
  properties: { rows: { type: 'array' }, total: { type: 'integer' } },
  required: ['rows', 'total'],
};
const OFFER = { tools: [tool('t'), tool('typed', { outputSchema: SCHEMA })] };

interface World {
  /** What a caller gets of a call that comes to this. */
  call(result: JsonObject, tool?: string): Promise<Outcome>;
  read(page: NonNullable<Call['page']>, more?: { subject?: string; tool?: string }): Promise<Outcome>;
}
function world(bounds: ResultBounds): World {
  const keys = Object.entries(bounds)
    .map(([key, value]) => `${key}: ${key === 'maxBytes' ? `${String(value)}B` : String(value)}`)
    .join(', ');
  const config = parsed(
    `version: 1\ngroups: [{ name: g, servers: [{ name: s, url: "https://x.example.com" }] }]\npolicies: { bounds: [{ result: { ${keys} } }] }`,
  );
  const { catalog, decide } = catalogOf(config, { 'g:s': OFFER });
  const ruling = createRuling(config, { catalog, decide, guardDeps: {} as never, now: () => 0 });
  const kept = createKeptResults(() => 0);
  const stage = boundsStage({
    ...{ ruling: () => ruling, kept, catalog },
    validator: createArgumentValidator(),
    guardWhole: (_call, outcome) => Promise.resolve(outcome),
  });
  const callOf = (name: string, subject: string, page?: Call['page']): Call => ({
    ...{ traceId: '', source: 'mcp', signal: new AbortController().signal, facts: newFacts(null), page },
    principal: { subject, tokenId: 't', administrator: true, claims: { teams: [] }, scope: WHOLE_SCOPE },
    target: { serverId: 'g:s', kind: 'tool', name },
    params: { name, arguments: {} },
  });
  const never = (): Promise<Outcome> => Promise.reject(new Error('a page is no new call'));
  return {
    call: (result, name = 't') =>
      stage(callOf(name, 'user:ann'), () => Promise.resolve({ ok: true, result })),
    read: (page, { subject = 'user:ann', tool: name = 't' } = {}) =>
      stage(callOf(name, subject, page), never),
  };
}
/** Holds no half of a character. */
const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);
const textBlock = (text: string): JsonObject => ({ type: 'text', text });
const textsOf = (result: JsonObject): string[] =>
  (result['content'] as JsonObject[]).map(({ text }) => String(text));
function resultOf(outcome: Outcome): JsonObject {
  if (!outcome.ok) throw new Error(outcome.refusal.message);
  return outcome.result;
}
function isWithin(result: JsonObject, bounds: ResultBounds): boolean {
  const json = JSON.stringify(result);
  const { items, depth } = resultShape(result);
  return (
    Buffer.byteLength(json) <= (bounds.maxBytes ?? Infinity) &&
    Math.ceil(json.length / CHARS_PER_TOKEN) <= (bounds.maxTokens ?? Infinity) &&
    items <= (bounds.maxItems ?? Infinity) &&
    depth <= (bounds.maxDepth ?? Infinity)
  );
}

function isPage({ _meta: meta }: JsonObject): boolean {
  return isJsonObject(meta) && (meta['toolgate/bounds'] as JsonObject)['reference'] !== undefined;
}

/** Texts of all sorts: plain, with what JSON escapes, of several bytes a character, and JSON. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6_000, size: 'max' }),
  fc
    .constantFrom('x', '"', '\n', '\u0001', 'é', '漢', '😀')
    .chain((one) => fc.integer({ min: 0, max: 6_000 }).map((count) => one.repeat(count))),
  fc.array(fc.jsonValue(), { maxLength: 200, size: 'max' }).map((value) => JSON.stringify(value)),
);
const anyBlock = fc.oneof(
  { weight: 3, arbitrary: anyText.map(textBlock) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 9_000 }).map((count) => ({
      ...{ type: 'image', mimeType: 'image/png', data: 'A'.repeat(count) },
    })),
  },
  {
    weight: 1,
    arbitrary: anyText.map((text) => ({ type: 'resource', resource: { uri: 'x://y', text } })),
  },
);
const anyResult = fc
  .record({
    content: fc.array(anyBlock, { maxLength: 12 }),
    structuredContent: fc.option(fc.dictionary(fc.string({ maxLength: 9 }), fc.jsonValue()), {
      nil: undefined,
    }),
  })
  .map(({ content, structuredContent }): JsonObject => ({
    content,
    ...(structuredContent !== undefined && { structuredContent }),
  }));
const anyBounds = fc
  .record({
    maxBytes: fc.option(fc.integer({ min: 1_500, max: 8_000 }), { nil: undefined }),
    maxTokens: fc.option(fc.integer({ min: 400, max: 2_000 }), { nil: undefined }),
    maxItems: fc.option(fc.integer({ min: 2, max: 20 }), { nil: undefined }),
    maxDepth: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
  })
  .map((bounds) => Object.fromEntries(Object.entries(bounds).filter(([, one]) => one !== undefined)))
  .filter((bounds) => Object.keys(bounds).length > 0);

describe('a result', () => {
  it('that is blocked, cut or paged is within its bounds, and one that fits is untouched', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyResult,
        anyBounds,
        fc.constantFrom('block', 'truncate', 'page'),
        async (result, measures, over) => {
          const bounds = { ...measures, over } as ResultBounds;
          const outcome = await world(bounds).call(result);
          if (isWithin(result, bounds)) {
            expect(outcome).toEqual({ ok: true, result });
            return;
          }
          if (!outcome.ok) expect(outcome.refusal.reason).toBe('too-large');
          else {
            // A page has about as many items as a list may have: where it ends at the end of a list, the whole list counts.
            const { maxBytes, maxTokens } = bounds;
            const held = isPage(outcome.result) ? { maxBytes, maxTokens } : bounds;
            expect([isWithin(outcome.result, held), outcome.result]).toEqual([true, expect.anything()]);
          }
          if (over === 'block') expect(outcome.ok).toBe(false);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('passes up to its bounds exactly, and not one byte, token, item or level beyond', async () => {
    const ofBytes = (bytes: number): JsonObject => {
      const frame = JSON.stringify({ content: [textBlock('')] }).length;
      return { content: [textBlock('x'.repeat(bytes - frame))] };
    };
    const isOk = async (bounds: ResultBounds, result: JsonObject): Promise<boolean> =>
      (await world(bounds).call(result)).ok;
    expect([
      await isOk({ maxBytes: 500 }, ofBytes(500)),
      await isOk({ maxBytes: 500 }, ofBytes(501)),
    ]).toEqual([true, false]);
    expect([
      await isOk({ maxTokens: 50 }, ofBytes(200)),
      await isOk({ maxTokens: 50 }, ofBytes(201)),
    ]).toEqual([true, false]);
    const json = (text: string): JsonObject => ({ content: [textBlock(text)] });
    expect([
      await isOk({ maxItems: 2 }, json('[1,2]')),
      await isOk({ maxItems: 2 }, json('[1,2,3]')),
    ]).toEqual([true, false]);
    expect([
      await isOk({ maxDepth: 2 }, json('[[1]]')),
      await isOk({ maxDepth: 2 }, json('[[[1]]]')),
    ]).toEqual([true, false]);
  });

  it('of texts is cut, not refused, whatever they are made of; JSON stays JSON; and it says so', async () => {
    const bounds = { maxBytes: 2_500, maxItems: 10, over: 'truncate' } as const;
    const { call } = world(bounds);
    await fc.assert(
      fc.asyncProperty(fc.array(anyText, { minLength: 1, maxLength: 8 }), async (texts) => {
        const result = { content: texts.map(textBlock) };
        if (isWithin(result, bounds)) return;
        const cut = resultOf(await call(result));
        const told = textsOf(cut);
        expect(told.at(-1)).toMatch(/^\[Cut by Toolgate: /);
        told.slice(0, -1).forEach((text, at) => {
          const before = texts[at] ?? '';
          if (/^[[{]/.test(before)) expect(() => JSON.parse(text) as unknown).not.toThrow();
          else expect(before.startsWith(text)).toBe(true);
          expect(isWellFormed(text) || !isWellFormed(before)).toBe(true);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('is read page by page without a loss: each page within the bounds, none ends within a character', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyText, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1_000, max: 4_000 }),
        async (texts, maxBytes) => {
          const bounds = { maxBytes, over: 'page' } as const;
          const result = { content: texts.map(textBlock) };
          if (isWithin(result, bounds)) return;
          const { call, read } = world(bounds);
          let page = resultOf(await call(result));
          const meta = (page['_meta'] as JsonObject)['toolgate/bounds'] as {
            reference: string;
            pages: number;
          };
          let whole = '';
          for (let number = 1; ; number++) {
            expect(isWithin(page, bounds)).toBe(true);
            const text = textsOf(page)[0] ?? '';
            expect(isWellFormed(text) || !isWellFormed(texts.join(''))).toBe(true);
            whole += text;
            if (number === meta.pages) break;
            page = resultOf(await read({ reference: meta.reference, page: number + 1 }));
          }
          expect(whole).toBe(texts.join('\n'));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('over the bound of a list alone is paged by about as many items, never handed out whole', async () => {
    const rows = JSON.stringify(Array.from({ length: 1_000 }, (_, id) => ({ id, name: `row ${id}` })));
    const { call } = world({ maxItems: 100, over: 'page' });
    const first = resultOf(await call({ content: [textBlock(rows)] }));
    expect(first['_meta']).toMatchObject({ 'toolgate/bounds': { page: 1 } });
    expect((first['content'] as { text: string }[])[0]?.text.length).toBeLessThan(rows.length / 9);
    const deep = world({ maxDepth: 3, over: 'page' });
    const cut = resultOf(await deep.call({ content: [textBlock('[[[[[[1]]]]]]')] }));
    expect(textsOf(cut)[0]).toBe('[[["[nested deeper; cut]"]]]');
  });

  it('names what is no text, and keeps what is said as structured content alone', async () => {
    const { call, read } = world({ maxBytes: 3_000, over: 'page' });
    const image = { type: 'image', mimeType: 'image/png', data: 'A'.repeat(9_000) };
    const both = resultOf(await call({ content: [image, textBlock('x'.repeat(9_000))] }));
    expect(textsOf(both)[0]).toMatch(/^\[image of 9\.\d kB, left out by Toolgate\]\nxxx/);
    const alone = resultOf(await call({ content: [image] }));
    expect(textsOf(alone)).toEqual([expect.stringMatching(/^\[image of/), expect.stringMatching(/^\[Cut/)]);
    const structured = { rows: Array.from({ length: 500 }, (_, id) => ({ id })) };
    const first = resultOf(await call({ content: [textBlock('see')], structuredContent: structured }));
    const { reference, pages } = (first['_meta'] as JsonObject)['toolgate/bounds'] as {
      reference: string;
      pages: number;
    };
    let text = textsOf(first)[0] ?? '';
    for (let page = 2; page <= pages; page++)
      text += textsOf(resultOf(await read({ reference, page })))[0] ?? '';
    expect(JSON.parse(text.slice('see\n'.length))).toEqual(structured);
  });

  it('that is cut still fits what its tool declares, or is refused', async () => {
    const rows = Array.from({ length: 500 }, (_, id) => ({ id }));
    const structuredContent = { rows, total: 500 };
    const fits = { content: [textBlock(JSON.stringify(structuredContent))], structuredContent };
    for (const over of ['truncate', 'page'] as const) {
      const cut = resultOf(await world({ maxBytes: 4_000, over }).call(fits, 'typed'));
      expect(cut['structuredContent']).toMatchObject({ total: 500 });
      const tall = { ...fits, structuredContent: { rows: 'none', total: 'x'.repeat(9_000) } };
      expect((await world({ maxBytes: 4_000, over }).call(tall, 'typed')).ok).toBe(false);
    }
  });
});

describe('a kept result', () => {
  it('is read by the one who called, as that tool, and by nobody else', async () => {
    const { call, read } = world({ maxBytes: 2_000, over: 'page' });
    const first = resultOf(await call({ content: [textBlock('x'.repeat(9_000))] }));
    const meta = first['_meta'];
    const bounds = isJsonObject(meta) ? (meta['toolgate/bounds'] as JsonObject) : {};
    const page = { reference: String(bounds['reference']), page: 2 };
    expect((await read(page)).ok).toBe(true);
    for (const more of [{ subject: 'user:ben' }, { tool: 'typed' }])
      expect(await read(page, more)).toMatchObject({ refusal: { reason: 'not-found' } });
    expect(await read({ ...page, page: 99 })).toMatchObject({ refusal: { reason: 'invalid-arguments' } });
  });

  it('makes room when there is too much of them: the oldest goes', () => {
    const kept = createKeptResults(() => 0);
    const keep = (text: string): string =>
      kept.keep({ ...{ subject: 'user:a', serverId: 'g:s', tool: 't', arguments: {}, ends: [1] }, text }) ??
      '';
    const large = 'x'.repeat(50 * 1024 * 1024);
    const all = [keep(large), keep(large), keep(large)];
    expect(all.map((one) => kept.find(one, 'user:a') !== undefined)).toEqual([false, true, true]);
    expect(keep('x'.repeat(129 * 1024 * 1024))).toBe('');
  });
});

it('pages are full, or end behind a gap between words', () => {
  const room = fc.record({ bytes: fc.integer({ min: 6, max: 60 }), chars: fc.integer({ min: 6, max: 60 }) });
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), room, (text, { bytes, chars }) => {
      const ends = pageEnds(text, { bytes, chars });
      const pages = ends.map((_, at) => pageOf(text, ends, at + 1));
      expect(pages.join('')).toBe(text);
      const json = pages.map((page) => JSON.stringify(page).slice(1, -1));
      for (const one of json) {
        expect(one.length).toBeLessThanOrEqual(chars);
        expect(Buffer.byteLength(one)).toBeLessThanOrEqual(bytes);
      }
      for (let at = 0; at + 1 < json.length; at++) {
        const [first = ''] = pages[at + 1] ?? '';
        const more = `${json[at] ?? ''}${JSON.stringify(first).slice(1, -1)}`;
        const full = more.length > chars || Buffer.byteLength(more) > bytes;
        expect(full || /[\s,]$/.test(pages[at] ?? '')).toBe(true);
      }
    }),
  );
});
