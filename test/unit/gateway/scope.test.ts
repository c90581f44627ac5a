import { describe, expect, it } from 'vitest';
import { createDecide } from '../../../gateway/access/decide.ts';
import type { Principal } from '../../../gateway/identity/principal.ts';
import { createViews, type ListMethod, type Scope, type View } from '../../../gateway/mcp/scope.ts';
import type { Listed } from '../../../gateway/registry/entry.ts';
import { registryView } from '../../../gateway/registry/view.ts';
import { catalogOf, configOf, principalOf, tool } from './support.ts';

const ALL: Scope = { kind: 'all' };
const group = (name: string): Scope => ({ kind: 'group', group: name });
const server = (of: string, name: string): Scope => ({ kind: 'server', group: of, server: name });

const CONFIG = configOf({
  dev: { github: ', tools: [{ match: "delete*", effect: deny }]', wiki: '' },
  prod: { github: '' },
});
const OFFERS = {
  'dev:github': {
    tools: [tool('list', { _meta: { own: 1 }, 'x-unknown': true }), tool('deleteRepo')],
    prompts: [{ name: 'review' }],
  },
  'dev:wiki': {
    tools: [tool('search')],
    resources: [{ name: 'Home', uri: 'wiki://home' }],
    templates: [{ name: 'Page', uriTemplate: 'wiki://page/{id}' }],
  },
  'prod:github': {
    tools: [tool('list'), tool('deleteRepo')],
    resources: [{ name: 'Shadow', uri: 'wiki://home' }],
  },
};

const world = (): ReturnType<typeof catalogOf> & { views: ReturnType<typeof createViews> } => {
  const made = catalogOf(CONFIG, { ...OFFERS });
  return { ...made, views: createViews(made.catalog) };
};

function items(view: View | undefined, method: ListMethod): Listed[] {
  const key = {
    'tools/list': 'tools',
    'prompts/list': 'prompts',
    'resources/list': 'resources',
    'resources/templates/list': 'resourceTemplates',
  }[method];
  return (JSON.parse(view!.payloads[method]) as Record<string, Listed[]>)[key]!;
}
const names = (view: View | undefined, method: ListMethod = 'tools/list'): string[] =>
  items(view, method).map(({ name }) => name);

describe('an aggregate', () => {
  it('names tools and prompts after their server, and says which it is', () => {
    const view = world().views(principalOf(), ALL);
    expect(names(view)).toEqual([
      'dev__github__list',
      'wiki__search',
      'prod__github__list',
      'prod__github__deleteRepo',
    ]);
    expect(names(view, 'prompts/list')).toEqual(['dev__github__review']);
    expect(items(view, 'tools/list')[0]).toEqual({
      ...OFFERS['dev:github'].tools[0],
      name: 'dev__github__list',
      _meta: { own: 1, 'toolgate/server': 't:dev:github' },
    });
    expect(view!.tool('dev__github__list')).toEqual({ serverId: 'dev:github', name: 'list' });
  });

  it('of a group needs no group in its names', () => {
    expect(names(world().views(principalOf(), group('dev')))).toEqual(['github__list', 'wiki__search']);
  });

  it('keeps URIs as they are; of two servers that list one, the first in the registry’s order serves it', () => {
    const view = world().views(principalOf(), ALL)!;
    expect(items(view, 'resources/list').map(({ uri }) => uri)).toEqual(['wiki://home']);
    expect(view.resource('wiki://home')).toEqual({ serverId: 'dev:wiki', name: 'wiki://home' });
    expect(view.resource('wiki://page/7')).toEqual({ serverId: 'dev:wiki', name: 'wiki://page/7' });
    expect(view.resource('wiki://elsewhere')).toBeUndefined();
  });

  it('leaves out names of over 64 characters, which model APIs refuse, with a warning in the registry', () => {
    const long = 'x'.repeat(64 - 'dev__github__'.length);
    const offers = {
      'dev:github': { tools: [tool(long), tool(`${long}y`)], prompts: [{ name: `${long}z` }] },
    };
    const { catalog } = catalogOf(CONFIG, offers);
    const views = createViews(catalog);
    expect(names(views(principalOf(), ALL))).toEqual([`dev__github__${long}`]);
    expect(views(principalOf(), ALL)!.tool(`dev__github__${long}y`)).toBeUndefined();
    expect(names(views(principalOf(), server('dev', 'github')))).toEqual([long, `${long}y`]);
    const registry = registryView(principalOf(), catalog, CONFIG, createDecide(CONFIG), '1');
    expect(registry.groups[0]?.servers[0]?.warnings).toEqual([
      `dev__github__${long}y is over 64 characters: only the server's own address offers it`,
      `dev__github__${long}z is over 64 characters: only the server's own address offers it`,
    ]);
  });
});

describe('a server’s own address', () => {
  it('shows it as it is', () => {
    const view = world().views(principalOf(), server('dev', 'github'));
    expect(items(view, 'tools/list')).toEqual([OFFERS['dev:github'].tools[0]]);
    expect(names(view, 'prompts/list')).toEqual(['review']);
  });

  it('asks the server also for what it does not list', () => {
    const view = world().views(principalOf(), server('dev', 'wiki'))!;
    expect(view.resource('wiki://unlisted')).toEqual({ serverId: 'dev:wiki', name: 'wiki://unlisted' });
  });
});

describe('what is not listed', () => {
  const principals: Principal[] = [
    principalOf(null, 'a'),
    principalOf(['dev'], 'b'),
    principalOf(['prod'], 'c'),
    principalOf([], 'd'),
  ];
  const scopes = [
    ALL,
    group('dev'),
    group('prod'),
    server('dev', 'github'),
    server('dev', 'wiki'),
    server('prod', 'github'),
  ];
  const guesses = ['list', 'deleteRepo', 'search', 'review'].flatMap((name) =>
    ['', 'github__', 'wiki__', 'dev__github__', 'prod__github__', 'dev:github__'].map(
      (prefix) => prefix + name,
    ),
  );

  it.each(scopes.map((scope) => [JSON.stringify(scope), scope] as const))(
    'P86 P87 cannot be called by any name at %s, for any principal',
    (_name, scope) => {
      const { views } = world();
      for (const principal of principals) {
        const view = views(principal, scope);
        if (view === undefined) continue;
        const [tools, prompts] = [names(view), names(view, 'prompts/list')];
        for (const guess of [...guesses, '__proto__', 'constructor', '', 'undefined']) {
          expect(view.tool(guess) !== undefined, `tool ${guess}`).toBe(tools.includes(guess));
          expect(view.prompt(guess) !== undefined, `prompt ${guess}`).toBe(prompts.includes(guess));
        }
        const reachable = new Set(view.entries.map(({ id }) => id));
        for (const uri of ['wiki://home', 'wiki://page/1', 'wiki://other']) {
          const target = view.resource(uri);
          if (target) expect(reachable).toContain(target.serverId);
          if (target && principal.scope.groups)
            expect(principal.scope.groups).toContain(target.serverId.split(':')[0]);
        }
      }
    },
  );

  it('is not told apart from what is not there: a hidden group has no address', () => {
    const { views } = world();
    const narrow = principalOf(['dev']);
    for (const scope of [
      group('prod'),
      group('nowhere'),
      server('prod', 'github'),
      server('dev', 'nothing'),
    ]) {
      expect(views(narrow, scope)).toBeUndefined();
    }
    expect(names(views(principalOf([]), ALL))).toEqual([]);
  });

  it('does not pass through to a hidden server that lists the same URI', () => {
    const view = world().views(principalOf(['prod']), ALL)!;
    expect(view.resource('wiki://home')?.serverId).toBe('prod:github');
    expect(view.resource('wiki://page/7')).toBeUndefined();
  });
});

describe('a view', () => {
  it('is built once a revision', () => {
    const { views, change } = world();
    const principal = principalOf();
    const first = views(principal, ALL);
    expect(views(principal, { kind: 'all' })).toBe(first);
    change('dev:wiki', { tools: [tool('find')] });
    expect(views(principal, ALL)).not.toBe(first);
    expect(names(views(principal, ALL))).toContain('wiki__find');
    expect(names(views(principal, ALL))).not.toContain('wiki__search');
  });

  it('is never that of a principal of another reach, the same token’s included', () => {
    const { views } = world();
    const wide = views(principalOf(null, 'token'), ALL);
    const narrow = views(principalOf(['prod'], 'token'), ALL);
    expect(narrow).not.toBe(wide);
    expect(names(narrow)).toEqual(['prod__github__list', 'prod__github__deleteRepo']);
    expect(views(principalOf(null, 'another'), ALL)).not.toBe(wide);
  });

  it('of many addresses that do not exist does not gather', () => {
    const { views } = world();
    for (let at = 0; at < 2_000; at++) expect(views(principalOf(), group(`g${at}`))).toBeUndefined();
    expect(names(views(principalOf(), group('dev')))).toEqual(['github__list', 'wiki__search']);
  });
});

describe('the registry view', () => {
  it('shows what the caller reaches, and of it what it may use', () => {
    const { catalog } = world();
    const view = registryView(principalOf(['dev']), catalog, CONFIG, createDecide(CONFIG), '1');
    expect(view.groups.map(({ name }) => name)).toEqual(['dev']);
    expect(view.groups[0]?.servers.map(({ fqn, tools }) => [fqn, tools.map(({ name }) => name)])).toEqual([
      ['t:dev:github', ['list']],
      ['t:dev:wiki', ['search']],
    ]);
    expect(JSON.stringify(view)).not.toContain('prod');
  });

  it('leaves out what a server lists against the specification, and shows the rest', () => {
    const { catalog } = catalogOf(CONFIG, {
      'dev:wiki': {
        tools: [{ name: 'no schema' }, tool('fine'), tool('odd', { annotations: { readOnlyHint: 'yes' } })],
        prompts: [{ name: 'p' }, { name: 'q', arguments: 'none' }],
      },
    });
    const shown = registryView(principalOf(), catalog, CONFIG, createDecide(CONFIG), '1').groups[0]!
      .servers[1]!;
    expect(shown.tools.map(({ name }) => name)).toEqual(['fine']);
    expect(shown.prompts.map(({ name }) => name)).toEqual(['p']);
  });
});
