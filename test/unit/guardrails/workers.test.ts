import { afterEach, beforeEach, expect, it } from 'vitest';
import { compileGuards, type GuardDeps } from '../../../gateway/guardrails/compile.ts';
import { askGuards, type Ruled } from '../../../gateway/guardrails/guard.ts';
import { createTextWorkers, type TextWorkers } from '../../../gateway/guardrails/workers.ts';
import { guardrailSchema } from '../../../gateway/config/policies/guardrails.ts';
import { compilePatterns } from '../../../gateway/access/patterns.ts';

/** A large value is looked at on another thread: the gateway goes on, and a guard's timeout counts. */
let workers: TextWorkers;
beforeEach(() => (workers = createTextWorkers()));
afterEach(() => workers.close());

const ask = (options: object, value: unknown): Promise<Ruled> => {
  const policy = guardrailSchema.parse({ name: 'g', hooks: ['toolResult'], timeout: '5s', ...options });
  const patterns = policy.kind === 'regex' ? compilePatterns(policy.patterns) : [];
  const compiled = { policy, patterns, applies: () => true, path: '' };
  const guards = compileGuards([compiled], { workers } as unknown as GuardDeps);
  return askGuards(guards, { hook: 'toolResult', value, facts: {} as never, traceId: '' });
};
const rows = (count: number) => ({
  content: [
    {
      type: 'text',
      text: JSON.stringify(Array.from({ length: count }, (_, id) => ({ id, note: 'plain words' }))),
    },
    { type: 'text', text: 'write to ann@example.com' },
  ],
});
/** How long the event loop stood still while it was waited. */
const longestPause = async (work: Promise<unknown>): Promise<number> => {
  let longest = 0;
  let last = performance.now();
  const beat = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  await work.finally(() => clearInterval(beat));
  return longest;
};

it.each([
  ['pii', { kind: 'pii' }],
  ['regex', { kind: 'regex', patterns: [{ pattern: '[a-z]+@example' }] }],
])('%s comes to the same there', async (_kind, options) => {
  const large = rows(100_000);
  const masked = await ask({ ...options, operation: 'mutate' }, large);
  if (masked.blocked !== undefined) throw new Error(masked.blocked.message);
  const { content } = masked.value as typeof large;
  expect(content[0]).toBe(large.content[0]);
  expect(content[1]?.text).not.toContain('ann@example');
  expect((await ask(options, large)).blocked?.message).toMatch(/^g found 1 .* at content\[1\]\.text$/);
});

it('five megabytes do not stop the event loop', async () => {
  const patterns = [{ pattern: '(a|b)*c' }, { pattern: '[a-z]+@corp' }];
  const large = rows(150_000);
  await ask({ kind: 'regex', patterns }, rows(3_000));
  const began = performance.now();
  const pause = await longestPause(ask({ kind: 'regex', patterns }, large));
  const whole = performance.now() - began;
  expect(pause).toBeLessThan(Math.max(whole / 3, 60));
});

it('a guard that takes too long ends as its mode says, and the next is asked', async () => {
  const slow = {
    kind: 'regex',
    timeout: '50ms',
    patterns: [{ pattern: '(x*y*z*w*)*v' }, { pattern: '[a-z]+@corp' }],
  };
  const large = { text: 'xyzw'.repeat(2_000_000) };
  expect((await ask(slow, large)).blocked?.message).toMatch(/could not be asked \(no answer within 50 ms\)/);
  const passed = await ask({ ...slow, mode: 'enforce-but-ignore-errors' }, large);
  expect([passed.blocked, passed.notes[0]?.effect]).toEqual([undefined, 'failed']);
  expect((await ask({ kind: 'pii' }, rows(5_000))).blocked?.rule).toBe('g');
});

it('what waits when the gateway stops is told so', async () => {
  const asked = [rows(50_000), rows(50_000)].map((value) => ask({ kind: 'pii' }, value));
  workers.close();
  for (const one of await Promise.all(asked)) expect(one.blocked?.message).toContain('stopping');
});
