import { describe, expect, it } from 'vitest';
import { createSearch, searchResponse } from '../../../gateway/registry/search.ts';
import { catalogOf, configOf, principalOf, tool } from './support.ts';

const config = configOf({
  open: {
    code: ', tags: [vcs], description: Code host, tools: [{ match: deleteRepo, effect: deny }]',
    notes: '',
  },
  secret: { vault: ', tags: [vcs]' },
});
const { catalog } = catalogOf(config, {
  'open:code': {
    tools: [
      tool('listPulls', { annotations: { title: 'Pull requests' }, description: 'x'.repeat(1_000) }),
      tool('deleteRepo', { description: 'Deletes a repository' }),
      tool('merge', {
        inputSchema: {
          type: 'object',
          properties: { pull: { type: 'object', properties: { headBranch: { type: 'string' } } } },
        },
      }),
    ],
  },
  'open:notes': {
    status: { state: 'failed', lastError: 'away' },
    resources: [{ name: 'Diary', uri: 'note://diary/today' }],
    templates: [{ name: 'note', uriTemplate: 'note://archive/{year}' }],
    prompts: [{ name: 'summarise', arguments: [{ name: 'paragraphs' }] }],
  },
  'secret:vault': { tools: [tool('rotate', { description: 'Rotates a repository key' })] },
});
const search = createSearch(catalog);
const found = (query: string, groups: readonly string[] | null = null): string[] =>
  search(principalOf(groups), query).map(({ item }) => `${item.entry.name} ${item.kind} ${item.item.name}`);

describe('P178 search', () => {
  it.each([
    ['pull requests', 'code tool listPulls'],
    ['head branch', 'code tool merge'],
    ['diary', 'notes resource Diary'],
    ['archive', 'notes resource note'],
    ['paragraphs', 'notes prompt summarise'],
  ])('finds %s by title, arguments, address', (query, first) => {
    expect(found(query)[0]).toBe(first);
  });

  it('finds all of a server by its tags, and what fits by itself before that', () => {
    expect(found('vcs').sort()).toEqual(['code tool listPulls', 'code tool merge', 'vault tool rotate']);
    expect(found('code merge')[0]).toBe('code tool merge');
  });

  it('finds nothing that the principal may not use, and scores as if it did not exist', () => {
    expect(found('repository')).toEqual(['vault tool rotate']);
    expect(found('repository', ['open'])).toEqual([]);
    expect(found('vcs', ['secret'])).toEqual(['vault tool rotate']);
    const alone = catalogOf(configOf({ open: { notes: '' } }), {
      'open:notes': { prompts: [{ name: 'summarise', arguments: [{ name: 'paragraphs' }] }] },
    });
    const crowded = catalogOf(configOf({ open: { notes: '' }, secret: { vault: '' } }), {
      'open:notes': { prompts: [{ name: 'summarise', arguments: [{ name: 'paragraphs' }] }] },
      'secret:vault': { tools: Array.from({ length: 50 }, (_, index) => tool(`summarise${index}`)) },
    });
    const answer = (of: typeof alone): unknown =>
      searchResponse(createSearch(of.catalog)(principalOf(['open']), 'summarise'), 10);
    expect(answer(crowded)).toEqual(answer(alone));
  });

  it('answers with what a caller needs to go on, shortened', () => {
    const [hit] = searchResponse(search(principalOf(), 'pull requests'), 1).hits;
    expect(hit).toMatchObject({
      kind: 'tool',
      server: 't:open:code',
      state: 'ready',
      title: 'Pull requests',
    });
    expect(hit?.description).toHaveLength(300);
    const note = searchResponse(search(principalOf(), 'archive year'), 5).hits[0];
    expect(note).toMatchObject({ uri: 'note://archive/{year}', template: true, state: 'failed' });
    expect(searchResponse(search(principalOf(), 'vcs'), 2)).toMatchObject({ total: 3, hits: [{}, {}] });
  });
});
