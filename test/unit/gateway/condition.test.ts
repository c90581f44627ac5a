import { describe, expect, it } from 'vitest';
import { createConditions, type Facts } from '../../../gateway/access/condition.ts';

const FACTS: Facts = {
  principal: { subject: 'user:a', teams: ['hr'] },
  server: { name: 's', tags: ['code'] },
  tool: { name: 't' },
  environment: 'prod',
  args: { database: 'hr', count: 7, list: [1, 2], text: 'a\nb\nc' },
  model: 'openai/gpt',
  now: new Date(Date.UTC(2026, 0, 5, 12)),
};
const ask = (source: string, facts: Facts = FACTS): string => createConditions()(source)(facts).is;

describe('P42 a condition', () => {
  it.each([
    ['args.database == "hr" && "hr" in principal.teams'],
    ['args.count > 5 && args.count <= 7'],
    ['size(args.text.split("\\n")) > 2'],
    ['environment == "prod" && model.startsWith("openai/")'],
    ['"code" in server.tags && tool.name == "t"'],
    ['now.getHours("UTC") == 12'],
    ['args.list.exists(x, x == 2)'],
    ['has(args.database) && !has(args.nothing)'],
    ['args.database.matches("^h[a-z]$")'],
    ['!has(args.__proto__) && !has(args.constructor)'],
  ])('looks at principal, server, tool, arguments, model, environment and time: %s', (source) => {
    expect(ask(source)).toBe('true');
  });

  it('is unknown while it looks at a call that is not there yet, and only then', () => {
    const { args: _args, model: _model, now: _now, ...listing } = FACTS;
    expect(ask('args.database == "hr"', listing)).toBe('unknown');
    expect(ask('args.list.all(x, model == "m")', { ...listing, args: {} })).toBe('unknown');
    expect(ask('now.getHours() > 1', { ...listing, args: {}, model: '' })).toBe('unknown');
    expect(ask('"hr" in principal.teams', listing)).toBe('true');
  });

  it('is broken where it cannot be worked out', () => {
    expect(ask('args.nothing == 1')).toBe('broken');
    expect(ask('args.database.matches("(")')).toBe('broken');
    expect(ask('args.database')).toBe('broken');
  });

  it.each([
    ['nobody.knows'],
    ['1 + 1'],
    ['args.a =='],
    ['principal.teams.exists(x, args.list.exists(y, y == x))'],
    [`${'('.repeat(60)}true${')'.repeat(60)}`],
    [Array.from({ length: 300 }, () => 'true').join(' && ')],
  ])('is refused when the configuration is read: %s', (source) => {
    expect(() => createConditions()(source)).toThrow();
  });

  it('takes time linear in a text, whatever the pattern', () => {
    const condition = createConditions()('args.text.matches("^(a+)+$") || args.text . matches ("^(a|aa)+$")');
    const began = performance.now();
    expect(condition({ ...FACTS, args: { text: `${'a'.repeat(50_000)}!` } }).is).toBe('false');
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});
