import { describe, expect, it } from 'vitest';
import type { RegistryView, ServerView } from '../../../gateway/contract/registry.ts';
import { examples } from '../../../webview/examples.ts';
import { countTicked, groupTick, mcpServers, serverTick, tick } from '../../../webview/selection.ts';
import type { Selection } from '../../../webview/selection.ts';
import { filterRegistry, scopeOf } from '../../../webview/tool-filter.ts';

function server(group: string, name: string, tools: readonly string[]): ServerView {
  return {
    fqn: `toolgate:${group}:${name}`,
    group,
    name,
    tags: [],
    transport: 'stdio',
    disabled: false,
    state: 'ready',
    stderrTail: [],
    warnings: [],
    tools: tools.map((tool) => ({ name: tool, description: `The ${tool} tool`, inputSchema: {} })),
    resources: [],
    prompts: [],
  };
}

const calculator = server('common', 'calculator-mcp', ['add', 'subtract', 'multiply', 'divide']);
const everything = server('common', 'everything-mcp', ['echo', 'get-sum']);
const files = server('dev-mcps', 'filesystem-mcp', ['list_directory', 'read_text_file']);
const registry: RegistryView = {
  tenant: 'toolgate',
  gatewayVersion: '0.1.0',
  revision: 1,
  groups: [
    { name: 'common', servers: [calculator, everything] },
    { name: 'dev-mcps', servers: [files] },
  ],
};
const all = (entry: ServerView) => ({ server: entry, tools: 'all' as const });
const some = (entry: ServerView, ...tools: string[]) => ({ server: entry, tools });

describe('ticking servers and tools', () => {
  it('a whole server is ticked, and its group mixed until all its servers are', () => {
    const one = tick({}, [all(calculator)], true);
    expect(one).toEqual({ 'toolgate:common:calculator-mcp': 'all' });
    expect(serverTick(one, calculator)).toBe('on');
    expect(groupTick(one, [calculator, everything])).toBe('mixed');
    const both = tick(one, [all(everything)], true);
    expect(groupTick(both, [calculator, everything])).toBe('on');
    expect(groupTick(both, [files])).toBe('off');
  });

  it('ticking the last tool by hand ticks the server', () => {
    const three = tick({}, [some(calculator, 'add', 'subtract', 'divide')], true);
    expect(serverTick(three, calculator)).toBe('mixed');
    expect(tick(three, [some(calculator, 'multiply')], true)).toEqual({ [calculator.fqn]: 'all' });
  });

  it('taking one tool out of a whole server leaves the others by name', () => {
    const rest = tick({ [calculator.fqn]: 'all' }, [some(calculator, 'divide')], false);
    expect(rest).toEqual({ [calculator.fqn]: ['add', 'subtract', 'multiply'] });
  });

  it('taking the last tool out leaves nothing behind', () => {
    const one = tick({}, [some(everything, 'echo')], true);
    expect(tick(one, [some(everything, 'echo')], false)).toEqual({});
    expect(tick({}, [some(everything, 'echo')], false)).toEqual({});
  });

  it('a whole server takes in tools that appear later; a partly ticked one does not', () => {
    const grown = server('common', 'calculator-mcp', ['add', 'subtract', 'multiply', 'divide', 'power']);
    expect(serverTick({ [calculator.fqn]: 'all' }, grown)).toBe('on');
    expect(serverTick({ [calculator.fqn]: ['add', 'subtract', 'multiply', 'divide'] }, grown)).toBe('mixed');
  });

  it('a ticked server without tools is on, one with only unknown tools is off', () => {
    const empty = server('common', 'calculator-mcp', []);
    expect(serverTick({ [empty.fqn]: 'all' }, empty)).toBe('on');
    expect(serverTick({ [calculator.fqn]: ['gone'] }, calculator)).toBe('off');
  });

  it('an empty group is off', () => {
    expect(groupTick({}, [])).toBe('off');
  });
});

describe('the servers of a request', () => {
  it('P124 P125 P126 sends a whole server without tools, a part with them, from several groups', () => {
    const selection: Selection = { [files.fqn]: ['read_text_file'], [calculator.fqn]: 'all' };
    expect(mcpServers(selection, registry)).toEqual([
      { integration_fqn: 'toolgate:common:calculator-mcp' },
      { integration_fqn: 'toolgate:dev-mcps:filesystem-mcp', tools: [{ name: 'read_text_file' }] },
    ]);
    expect(countTicked(selection, registry)).toBe(5);
  });

  it('leaves out what the registry does not have now', () => {
    const selection: Selection = { 'toolgate:gone:server': 'all', [everything.fqn]: ['vanished'] };
    expect(mcpServers(selection, registry)).toEqual([]);
    expect(countTicked(selection, registry)).toBe(0);
  });
});

describe('the filter', () => {
  const shown = (filter: string) =>
    filterRegistry(registry, filter).map((group) => [
      group.name,
      ...group.servers.map(
        (entry) => `${entry.server.name}: ${entry.tools.map(({ name }) => name).join(' ')}`,
      ),
    ]);

  it('leaves everything when empty, empty groups too', () => {
    expect(shown('  ')).toHaveLength(2);
    expect(filterRegistry({ ...registry, groups: [{ name: 'new', servers: [] }] }, '')).toHaveLength(1);
  });

  it('finds tools by every word, in name, description, server or group', () => {
    expect(shown('READ')).toEqual([['dev-mcps', 'filesystem-mcp: read_text_file']]);
    expect(shown('common sum')).toEqual([['common', 'everything-mcp: get-sum']]);
    expect(shown('calculator')).toEqual([['common', 'calculator-mcp: add subtract multiply divide']]);
    expect(shown('nothing like it')).toEqual([]);
  });

  it('a tick under a filter is about what is shown', () => {
    const [group] = filterRegistry(registry, 'read');
    const scopes = group?.servers.map(scopeOf) ?? [];
    expect(tick({}, scopes, true)).toEqual({ [files.fqn]: ['read_text_file'] });
  });
});

describe('example prompts', () => {
  it('suit the tools that are there', () => {
    expect(examples(registry).map(({ prompt, server: from }) => [prompt, from?.name])).toEqual([
      ['Add 2 and 3, then multiply the result by 4', 'calculator-mcp'],
      ['List the folder', 'filesystem-mcp'],
      ['Echo hello', 'everything-mcp'],
    ]);
  });

  it('are general for servers of an unknown kind, and none without tools', () => {
    const other = server('prod', 'github-mcp', ['listPullRequests']);
    const groups = [{ name: 'prod', servers: [other, server('prod', 'down-mcp', [])] }];
    expect(examples({ ...registry, groups }).map(({ prompt }) => prompt)).toEqual([
      'What can you do with github-mcp?',
    ]);
    expect(examples({ ...registry, groups: [] })).toEqual([]);
  });
});
