import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createResultCache } from '../../../gateway/cache/result-cache.ts';

/** Of two or three entries: each takes 500 bytes beside its result. */
const ROOM = 1_600;

it('never holds more than its bytes, nor anything past its time, and gives back what was kept', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    bytes: fc.integer({ min: 1, max: 60 }),
    ttl: fc.integer({ min: 0, max: 50 }),
    wait: fc.integer({ min: 0, max: 30 }),
    what: fc.constantFrom('keep', 'find', 'forget'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      let now = 0;
      const cache = createResultCache(() => now, ROOM);
      const model = new Map<string, { until: number; bytes: number }>();
      for (const { key, bytes, ttl, wait, what } of steps) {
        now += wait;
        if (what === 'keep') {
          const call = cache.begin(key, { serverId: 'g:s', holder: key });
          call.keep({ key, bytes }, bytes, ttl);
          call.end();
          model.set(key, { until: now + ttl, bytes });
        } else if (what === 'forget') {
          cache.forget('g:s', key);
          model.delete(key);
        } else {
          const kept = cache.find(key);
          if (kept === undefined) continue;
          const known = model.get(key);
          expect(kept.result).toEqual({ key, bytes: known?.bytes });
          expect(now).toBeLessThan(known?.until ?? 0);
        }
        const [sum] = cache.view().servers;
        expect(sum?.bytes ?? 0).toBeLessThanOrEqual(ROOM);
      }
    }),
  );
});

it('keeps nothing of calls that left before what their server answered was forgotten', () => {
  const owner = fc.record({
    serverId: fc.constantFrom('g:a', 'g:b'),
    holder: fc.constantFrom('user:ann', 'user:ben', undefined),
  });
  const forgotten = fc.record({
    serverId: fc.constantFrom('g:a', undefined),
    holder: fc.constantFrom('user:ann', undefined),
  });
  fc.assert(
    fc.property(owner, forgotten, (of, what) => {
      const cache = createResultCache(() => 0);
      const call = cache.begin('k', of);
      cache.forget(what.serverId, what.holder);
      call.keep({}, 2, 1_000);
      const meant =
        (what.serverId === undefined || of.serverId === what.serverId) &&
        (what.holder === undefined || of.holder === undefined || of.holder === what.holder);
      expect([call.holds(), cache.find('k') !== undefined]).toEqual([!meant, !meant]);
      const later = cache.begin('k', of);
      later.keep({}, 2, 1_000);
      expect(cache.find('k')).toBeDefined();
    }),
  );
});
