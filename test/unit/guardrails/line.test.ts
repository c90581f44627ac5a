import { expect, test } from 'vitest';
import { watched, type Route } from '../../../gateway/mcp/relay.ts';
import type { Aside } from '../../../gateway/pipeline/asides.ts';
import { createLine } from '../../../gateway/pipeline/line.ts';

/** P144 What waits for guardrails keeps its order, is bounded, and holds nothing up for ever. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

test('what does not wait is done at once, and what waits in its order, whatever fails', async () => {
  const line = createLine({ most: 3, settleMs: 60_000 });
  const done: string[] = [];
  const first = gate();
  expect(line.settled()).toBeUndefined();
  expect(line.push(() => first.opened.then(() => void done.push('first')))).toBe(true);
  expect(line.push(() => Promise.reject(new Error('broken')))).toBe(true);
  expect(line.push(() => void done.push('third'))).toBe(true);
  expect(line.push(() => void done.push('too many'))).toBe(false);
  expect(done).toEqual([]);
  first.open();
  await line.settled();
  expect(done).toEqual(['first', 'third']);
  line.push(() => void done.push('at once'));
  expect(done).toEqual(['first', 'third', 'at once']);
});

test('waiting for it ends, also when it does not', async () => {
  const line = createLine({ most: 1, settleMs: 1 });
  line.push(() => new Promise(() => undefined));
  await line.settled();
  expect(line.push(() => undefined)).toBe(false);
});

test('log messages beyond 256 are dropped; without a guard nothing waits', async () => {
  const delivered: unknown[] = [];
  const route: Route = {
    deliver: (_method, { data }) => void delivered.push(data),
    announce: () => undefined,
    ask: () => Promise.resolve({}),
  };
  const late = gate();
  const seen: string[] = [];
  const aside: Aside = {
    said: async (method, value) => {
      seen.push(method);
      await late.opened;
      return { value };
    },
    answered: (_method, value) => Promise.resolve({ value }),
  };
  const way = watched(route, () => aside);
  for (let data = 0; data < 300; data++) way.deliver('notifications/message', { data });
  expect(delivered).toEqual([]);
  expect(seen).toEqual(['notifications/message']);
  late.open();
  await way.settled?.();
  expect(delivered).toEqual(Array.from({ length: 256 }, (_, at) => at));

  const open = watched(route, () => undefined);
  open.deliver('notifications/message', { data: 'free' });
  expect(delivered.at(-1)).toBe('free');
  expect(open.settled?.()).toBeUndefined();
});

test('a question that the server took back meanwhile is not asked', async () => {
  let asked = 0;
  const late = gate();
  const route: Route = {
    deliver: () => undefined,
    announce: () => undefined,
    ask: () => Promise.resolve({ asked: ++asked }),
  };
  const aside: Aside = {
    said: (_method, value) => late.opened.then(() => ({ value })),
    answered: (_method, value) => Promise.resolve({ value }),
  };
  const took = new AbortController();
  const answer = watched(route, () => aside).ask('elicitation/create', {}, took.signal);
  took.abort();
  late.open();
  await expect(answer).rejects.toThrow('took the request back');
  expect(asked).toBe(0);
});
