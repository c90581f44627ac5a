import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecide } from '../../../gateway/access/decide.ts';
import { definitionText, visible } from '../../../gateway/contract/pin-text.ts';
import { createViews } from '../../../gateway/mcp/scope.ts';
import type { Call } from '../../../gateway/pipeline/call.ts';
import { decideStage } from '../../../gateway/pipeline/stages.ts';
import type { Listed } from '../../../gateway/registry/entry.ts';
import { registrationsGone } from '../../../gateway/registry/pins.ts';
import { serverPinsView } from '../../../gateway/registry/pin-views.ts';
import { createSearch } from '../../../gateway/registry/search.ts';
import { registryView } from '../../../gateway/registry/view.ts';
import { capabilitiesOf, CONFIG, list, SERVER, shown, waiting, world } from './pins-world.ts';
import { catalogOf, configOf, principalOf, tool } from './support.ts';

describe('what is listed', () => {
  const NAMES = ['old', 'shown', 'x', 'y'];
  const definition = fc.record({
    name: fc.constantFrom(...NAMES),
    description: fc.constantFrom('A', 'B', 'C'),
  });
  const offering = fc.uniqueArray(definition, { selector: ({ name }) => name });
  const step = fc.oneof(
    fc.record({ do: fc.constant('list' as const), offering, asking: fc.boolean() }),
    fc.record({ do: fc.constantFrom('accept' as const, 'reject' as const), at: fc.nat(3) }),
  );

  it('is what can be called, on every way in, and nothing that nobody accepted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const { pins } = world();
        const { catalog, decide, change } = catalogOf(CONFIG, { 'g:s': {} }, pins);
        const accepted = new Set<string>();
        let listed = false;
        for (const one of steps) {
          if (one.do === 'list') {
            const capabilities = capabilitiesOf(
              one.offering.map(({ name, description }) => tool(name, { description })),
            );
            // What only some clients are shown first is accepted for those alone, and they see nothing here.
            if (!one.asking && !listed) for (const said of one.offering) accepted.add(JSON.stringify(said));
            if (!one.asking) listed = true;
            await list(pins, capabilities, one.asking ? { sampling: {} } : {});
            if (!one.asking) change('g:s', capabilities);
          } else {
            const item = waiting(pins)[one.at];
            const version = pins
              .find(SERVER)
              ?.pins.find(({ name }) => name === item?.name)
              ?.versions.find(({ hash }) => hash === item?.hash);
            if (item === undefined || version === undefined) continue;
            const state = one.do === 'accept' ? 'accepted' : 'rejected';
            if (one.do === 'accept')
              accepted.add(
                JSON.stringify({
                  name: version.content!['name'],
                  description: version.content!['description'],
                }),
              );
            expect(await pins.decide(SERVER, [item], { state, by: 'user:owner' })).toBe(true);
          }
          await expectAgreement(catalog, decide, accepted);
        }
      }),
      { numRuns: 150 },
    );
  });

  async function expectAgreement(
    catalog: ReturnType<typeof catalogOf>['catalog'],
    decide: ReturnType<typeof catalogOf>['decide'],
    accepted: ReadonlySet<string>,
  ): Promise<void> {
    const principal = principalOf();
    const entry = catalog.entry('g:s')!;
    const listed = catalog.tools(principal, entry).map(({ name }) => name);
    for (const { own } of entry.tools.values())
      expect(accepted).toContain(JSON.stringify({ name: own.name, description: own['description'] }));
    const view = createViews(catalog)(principal, { kind: 'server', group: 'g', server: 's' })!;
    const names = (text: string): string[] =>
      (JSON.parse(text) as { tools: Listed[] }).tools.map(({ name }) => name);
    expect(names(view.payloads['tools/list'])).toEqual(listed);
    const [group] = registryView(principal, catalog, CONFIG, createDecide(CONFIG), '1').groups;
    expect(group!.servers[0]!.tools.map(({ name }) => name)).toEqual(listed);
    const found = createSearch(catalog)(principal, 'A B C old shown x y');
    for (const { item } of found) expect(listed).toContain(item.item.name);
    const stage = decideStage(decide, catalog, Date.now);
    for (const name of NAMES) {
      const call = {
        principal,
        target: { serverId: 'g:s', kind: 'tool', name },
        params: {},
      } as unknown as Call;
      const outcome = await stage(call, () => Promise.resolve({ ok: true, result: {} }));
      expect(outcome.ok, name).toBe(listed.includes(name));
      if (!outcome.ok) {
        const held = entry.quarantined.tools.has(name);
        expect(outcome.refusal.reason).toBe(held ? 'quarantined' : 'not-found');
        expect(view.tool(name) !== undefined).toBe(held);
      }
    }
  }
});

describe('pins', () => {
  const before = capabilitiesOf([tool('a', { description: 'A' })], [{ name: 'p' }]);

  it('show nothing of a registration that was never recorded', () => {
    const { pins } = world();
    expect(pins.judge(SERVER, before, '')).toEqual({
      capabilities: capabilitiesOf([]),
      quarantined: { tools: before.tools, prompts: before.prompts },
    });
    expect(pins.knows(SERVER)).toBe(false);
  });

  it('write when something is new, and only then', async () => {
    const { pins, store } = world();
    await list(pins, before);
    expect(store.writes).toBe(1);
    await list(pins, before);
    const reordered = tool('a', { inputSchema: { type: 'object' }, description: 'A', _meta: { any: 1 } });
    await list(pins, capabilitiesOf([reordered], before.prompts));
    expect(store.writes).toBe(1);
    expect(shown(pins, capabilitiesOf([reordered]))).toEqual(['a']);
  });

  it('tell once of what comes into quarantine', async () => {
    const { pins, quarantined } = world();
    await list(pins, before);
    const after = capabilitiesOf([tool('a'), tool('b')], [{ name: 'p', title: 'P' }]);
    await list(pins, after);
    await list(pins, after);
    expect(quarantined).toEqual([['tool a', 'prompt p', 'tool b']]);
  });

  it('are taken of what could be listed, and of nothing else', async () => {
    const { pins } = world();
    const nothing = { clientCapabilities: {}, capabilities: capabilitiesOf([]) };
    await pins.record(SERVER, { ...nothing, listed: new Set(['prompts']) });
    await list(pins, before);
    expect(shown(pins, before)).toEqual(['a']);
    expect(pins.judge(SERVER, before, '').capabilities.prompts).toEqual([]);
    await pins.record(SERVER, { ...nothing, listed: new Set() });
    expect(serverPinsView({ fqn: 's', pinned: SERVER, pins: pins.find(SERVER) } as never).removed).toEqual(
      [],
    );
  });

  it('agree for every gateway on one store, and outlive each', async () => {
    const { pins, store } = world();
    const other = world(store).pins;
    let heard = 0;
    other.onChange(() => heard++);
    await list(pins, before);
    expect(heard).toBe(1);
    expect(shown(other, before)).toEqual(['a']);
    await store.update((state) => ({ ...state, tokens: [] }));
    expect(heard).toBe(1);
    expect(shown(world(store).pins, capabilitiesOf([tool('a')]))).toEqual([]);
  });

  it('give the same answer, identically, until something changes', async () => {
    const { pins, store } = world();
    await list(pins, before);
    const judged = pins.judge(SERVER, before, '');
    expect(judged.capabilities).toBe(before);
    await store.update((state) => ({ ...state }));
    expect(pins.judge(SERVER, before, '')).toBe(judged);
    await list(pins, capabilitiesOf([tool('other')]));
    expect(pins.judge(SERVER, before, '')).not.toBe(judged);
  });

  it('keep what differs between clients apart, when both were accepted', async () => {
    const { pins } = world();
    const asking = capabilitiesOf([tool('a', { description: 'for who can be asked' })], before.prompts);
    await list(pins, before);
    await list(pins, asking, { sampling: {} });
    expect(shown(pins, asking, 'sampling')).toEqual([]);
    expect(await pins.decide(SERVER, waiting(pins), { state: 'accepted', by: 'user:owner' })).toBe(true);
    for (const offered of [before, asking]) expect(shown(pins, offered, 'sampling')).toEqual(['a']);
    await list(pins, before);
    await list(pins, asking, { sampling: {} });
    expect(waiting(pins)).toEqual([]);
  });

  it('do not let what was replaced come back, when nobody is offered it any more', async () => {
    const { pins } = world();
    const after = capabilitiesOf([tool('a', { description: 'B' })], before.prompts);
    await list(pins, before);
    await list(pins, before, { sampling: {} });
    await list(pins, after);
    expect(await pins.decide(SERVER, waiting(pins), { state: 'accepted', by: 'user:owner' })).toBe(true);
    expect(shown(pins, before, 'sampling')).toEqual(['a']);
    await list(pins, after, { sampling: {} });
    expect(shown(pins, before)).toEqual([]);
    expect(shown(pins, after, 'sampling')).toEqual(['a']);
  });

  it('accept for everybody only what everybody was shown, or somebody has accepted', async () => {
    const { pins } = world();
    await list(pins, before);
    const smuggled = capabilitiesOf([...before.tools, tool('new')], before.prompts);
    await list(pins, smuggled, { sampling: {} });
    expect(shown(pins, smuggled, 'sampling')).toEqual(['a', 'new']);
    expect(shown(pins, smuggled, 'elicitation, sampling')).toEqual(['a', 'new']);
    expect(shown(pins, smuggled, 'elicitation')).toEqual(['a']);
    await list(pins, smuggled);
    expect(shown(pins, smuggled)).toEqual(['a']);
    const { changes } = serverPinsView({ fqn: 's', pinned: SERVER, pins: pins.find(SERVER) } as never);
    expect(changes).toMatchObject([{ name: 'new', change: 'new', state: 'waiting', offeredTo: [''] }]);
    expect(await pins.decide(SERVER, waiting(pins), { state: 'accepted', by: 'user:owner' })).toBe(true);
    expect(shown(pins, smuggled)).toEqual(['a', 'new']);
    expect(waiting(pins)).toEqual([]);
  });

  it('accept the first listing for everybody also when others were shown it before', async () => {
    const { pins } = world();
    await list(pins, before, { sampling: {} });
    expect(shown(pins, before)).toEqual([]);
    await list(pins, before);
    expect(shown(pins, before)).toEqual(['a']);
    expect(waiting(pins)).toEqual([]);
  });

  it('know few kinds of clients, so that none can make first listings happen again', async () => {
    const { pins } = world();
    await list(pins, before, { sampling: {} });
    const more = capabilitiesOf([...before.tools, tool('late')]);
    for (const capabilities of [
      { sampling: { invented: {} } },
      { sampling: {}, experimental: {} },
      { sampling: { tools: true } },
    ])
      await list(pins, more, capabilities);
    expect(shown(pins, more, 'sampling')).toEqual(['a']);
    await list(pins, more, { sampling: { tools: {} } });
    expect(shown(pins, more, 'sampling')).toEqual(['a']);
  });

  it('forget what leaves the configuration, and nothing that stays', async () => {
    const { pins } = world();
    await list(pins, before);
    const described = configOf({ g: { s: ', description: other, pins: trust' } });
    expect(registrationsGone(CONFIG, described)).toEqual([]);
    const gone = registrationsGone(CONFIG, configOf({ g: { s: ', args: [other]' } }));
    expect(gone).toEqual([SERVER]);
    await pins.forget(gone);
    expect(pins.knows(SERVER)).toBe(false);
    const after = capabilitiesOf([tool('a', { description: 'B' })]);
    await list(pins, after);
    expect(shown(pins, after)).toEqual(['a']);
  });

  it('trust what they are told to trust, but not what somebody rejected', async () => {
    const { pins } = world();
    const trusted = { ...SERVER, mode: 'trust' as const };
    const [one, two] = [capabilitiesOf([tool('a'), tool('b')]), capabilitiesOf([tool('a', { title: 'A' })])];
    await list(pins, before);
    await list(pins, one);
    await pins.decide(SERVER, waiting(pins).slice(0, 1), { state: 'rejected', by: 'user:owner' });
    await list(pins, one, {}, trusted);
    expect(shown(pins, one)).toEqual(['b']);
    await list(pins, two, {}, trusted);
    expect(shown(pins, two)).toEqual(['a']);
    expect(pins.find(SERVER)!.pins.map(({ name }) => name)).toEqual(['a']);
  });

  it('let a server that changes over and over wait', async () => {
    const { pins, store } = world();
    const began = performance.now();
    for (let at = 0; at <= 21; at++) await list(pins, capabilitiesOf([tool('a', { title: String(at) })]));
    expect(store.writes).toBe(22);
    expect(performance.now() - began).toBeGreaterThan(1_000);
  });

  it('are bounded: what is too large is kept as a hash, and what cannot be hashed is not shown', async () => {
    const { pins, store } = world();
    const large = tool('large', { description: 'x'.repeat(100_000) });
    let deep: unknown = {};
    for (let at = 0; at < 50_000; at++) deep = [deep];
    const offered = capabilitiesOf([large, tool('deep', { inputSchema: deep })]);
    await list(pins, offered);
    expect(shown(pins, offered)).toEqual(['large']);
    expect(JSON.stringify(store.current()).length).toBeLessThan(2_000);
    expect(shown(pins, capabilitiesOf([tool('large', { description: `${'x'.repeat(99_999)}y` })]))).toEqual(
      [],
    );
  });
});

describe('a definition as text', () => {
  it('shows every character, and no content as a heading', () => {
    const text = definitionText({
      name: 'a',
      description: 'one\n# Input schema\n  two\u200b\u{e0041}\u00a0é日👍',
    });
    expect(text).toBe(
      '# Name\n  a\n\n# Description\n  one\n  # Input schema\n    two\\u{200b}\\u{e0041}\\u{a0}é日👍\n',
    );
    expect(definitionText(undefined)).toBe('');
  });

  it('has no control character left in it, whatever it is made of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visible(text)).not.toMatch(/[^\P{Cc}\n\t]|\p{Cf}|\p{Default_Ignorable_Code_Point}/u);
      }),
    );
  });
});
