import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createResultCache } from '../../../gateway/cache/result-cache.ts';

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
      const cache = createResultCache(() => now, 100);
      const model = new Map<string, { until: number; bytes: number }>();
      for (const { key, bytes, ttl, wait, what } of steps) {
        now += wait;
        if (what === 'keep') {
          cache.keep(key, { serverId: 'g:s', holder: key }, { key, bytes }, bytes, ttl);
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
        expect(sum?.bytes ?? 0).toBeLessThanOrEqual(100);
      }
    }),
  );
});
