import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServerEntry } from '../../../gateway/registry/entry.ts';
import { aggregatePrefixes, resolveServer } from '../../../gateway/registry/names.ts';
import { catalogOf, configOf } from './support.ts';

/** The entries of a registry written as `group:server`. */
function entriesOf(ids: readonly string[]): readonly ServerEntry[] {
  const groups: Record<string, Record<string, string>> = {};
  for (const id of ids) {
    const [group = '', name = ''] = id.split(':');
    groups[group] = { ...groups[group], [name]: '' };
  }
  return catalogOf(configOf(groups), {}).catalog.entries();
}

const prefixes = (...ids: string[]): Record<string, string> =>
  Object.fromEntries(aggregatePrefixes(entriesOf(ids)));

describe('a prefix in an aggregate', () => {
  it('is the server’s name, with its group before it where the name occurs in several', () => {
    expect(prefixes('dev:github', 'prod:github', 'dev:jira')).toEqual({
      'dev:github': 'dev__github',
      'prod:github': 'prod__github',
      'dev:jira': 'jira',
    });
  });

  it('never lets one server’s tool take the name of another’s', () => {
    expect(prefixes('dev:github', 'prod:github', 'prod:dev')).toMatchObject({ 'prod:dev': 'prod__dev' });
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const id = fc.tuple(name, name).map(([group, server]) => `${group}:${server}`);
    // Tools may be called like parts of other servers' names.
    const tool = fc.array(fc.constantFrom('a', 'b', '_', '__'), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.uniqueArray(id, { maxLength: 8 }), fc.array(tool, { maxLength: 6 }), (ids, tools) => {
        const taken = new Map<string, string>();
        for (const [server, prefix] of aggregatePrefixes(entriesOf(ids))) {
          for (const parts of tools) {
            const full = `${prefix}__${parts.join('')}`;
            expect(taken.get(full) ?? server, full).toBe(server);
            taken.set(full, server);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('does not depend on the order of the registry', () => {
    const ids = ['a:x', 'b:x', 'c:a', 'd:c', 'd:y'];
    expect(prefixes(...ids.toReversed())).toEqual(prefixes(...ids));
  });
});

describe('P124 a server’s name', () => {
  const entries = entriesOf(['dev:github', 'prod:github', 'prod:jira']);
  const resolve = (name: string): string[] =>
    resolveServer(name, entries, ['acme', 'truefoundry']).map(({ id }) => id);

  it.each([
    ['acme:prod:github', ['prod:github']],
    ['truefoundry:prod:github', ['prod:github']],
    ['prod:github', ['prod:github']],
    ['jira', ['prod:jira']],
    ['github', ['dev:github', 'prod:github']],
    ['other:prod:github', []],
    ['Acme:prod:github', []],
    ['acme:prod', []],
    ['acme:prod:github:x', []],
    [':prod:github', []],
    ['prod:', []],
    ['', []],
    ['__proto__', []],
  ])('%j means %j', (name, ids) => {
    expect(resolve(name)).toEqual(ids);
  });
});
