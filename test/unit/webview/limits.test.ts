import { describe, expect, it } from 'vitest';
import type { CounterView } from '../../../gateway/contract/limits.ts';
import { PLAYGROUND_PATHS } from '../../../gateway/contract/playground.ts';
import { limitWords } from '../../../webview/limit-words.ts';

/** P73 P100 What a row of the limits says. */
const NOW = Date.UTC(2026, 10, 3);
const counter = (more: Partial<CounterView>): CounterView => ({
  ...{ policy: 'p', kind: 'rate-limit', mode: 'enforce', holder: {}, unit: 'calls', limit: '50/day' },
  ...{ amount: 50, used: 0, remaining: 50, resetsAt: null, roomAt: null, alerts: [] },
  ...more,
});
const words = (more: Partial<CounterView>) => limitWords(counter(more), NOW);

describe('a limit', () => {
  it('is as full as it is, and 100 % only where nothing is left', () => {
    const percents = [0, 0.4, 37, 49.99, 50, 125].map((used) => words({ used }).percent);
    expect(percents).toEqual(['0 %', '< 1 %', '74 %', '99 %', '100 %', '250 %']);
    expect([37, 38, 49.99, 50].map((used) => words({ used }).level)).toEqual([
      'fine',
      'much',
      'much',
      'full',
    ]);
    expect(words({ amount: 0, limit: '0/day' })).toMatchObject({ level: 'full', percent: '100 %' });
  });

  it('says which of its own thresholds is reached', () => {
    const at = (used: number) => words({ used, alerts: [20, 60] });
    expect([at(9), at(10), at(30)].map(({ level, state }) => [level, state])).toEqual([
      ['fine', ''],
      ['much', '20 % reached'],
      ['much', '60 % reached'],
    ]);
    expect(words({ used: 60, mode: 'audit' }).state).toBe('used up, refuses nothing');
  });

  it('of calls at once says whether a place is free, and is no alarm when none is', () => {
    const places = { unit: 'concurrency', limit: '4', amount: 4 } as const;
    expect(words({ ...places, used: 3 })).toMatchObject({
      ...{ level: 'fine', percent: '75 %', counts: 'calls at once', used: '3 of 4 calls at once' },
      ...{ state: '', until: '' },
    });
    expect(words({ ...places, used: 4 })).toMatchObject({ level: 'much', state: 'no place is free' });
  });

  it('says what it counts, whose it is, and until when', () => {
    const cost = { unit: 'cost', limit: '500/month', amount: 500, used: 412.5 } as const;
    const month = words({ ...cost, kind: 'budget', resetsAt: Date.UTC(2026, 11, 1) });
    expect([month.used, month.whose, month.until]).toEqual([
      ...['$412.50 of $500/month', 'all callers together', 'begins anew on 1 Dec'],
    ]);
    const holder = { principal: 'user:ann', model: 'openai/gpt-4o', 'metadata.feature': '-' };
    expect(words({ holder }).whose).toBe('user:ann, model openai/gpt-4o, no feature');
    expect(words({ used: 50, roomAt: NOW + 40_000 }).until).toBe('room again in\u00a040\u00a0s');
  });
});

it('limits can be read, and nothing else of them asked for, by the page in VS Code', () => {
  const allowed = (path: string): boolean => PLAYGROUND_PATHS.some((one) => one.test(path));
  expect(['/api/v1/limits', '/api/v1/limits/storm', '/api/v1/limits?x=1'].map(allowed)).toEqual([
    true,
    false,
    false,
  ]);
});
