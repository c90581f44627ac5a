import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../gateway/contract/json.ts';
import { capabilitiesOf, list, memoryStore, SERVER, shown, waiting, world } from './pins-world.ts';
import { tool } from './support.ts';

describe('P26 what looks like prompt injection', () => {
  const check = ({ description }: JsonObject): readonly string[] =>
    description === 'evil' ? ['secrecy in description'] : [];
  const offered = capabilitiesOf([tool('x', { description: 'evil' }), tool('y', { description: 'fine' })]);

  it.each(['review', 'trust'] as const)(
    'waits at the first listing (pins: %s), and a person accepts it for good',
    async (mode) => {
      const { store, pins, quarantined } = world(memoryStore(), check);
      await list(pins, offered, {}, { ...SERVER, mode });
      expect(shown(pins, offered)).toEqual(['y']);
      expect(quarantined).toEqual([['tool x (looks like prompt injection: secrecy in description)']]);
      expect(await pins.decide(SERVER, waiting(pins), { state: 'accepted', by: 'user:owner' })).toBe(true);
      await list(pins, offered, {}, { ...SERVER, mode });
      await list(pins, offered, { sampling: {} }, { ...SERVER, mode });
      expect(shown(pins, offered)).toEqual(['x', 'y']);
      expect(shown(world(store, check).pins, offered)).toEqual(['x', 'y']);
    },
  );

  it('waits again where it was accepted unseen before it was known for that', async () => {
    const { store, pins } = world();
    await list(pins, offered);
    expect(shown(pins, offered)).toEqual(['x', 'y']);
    const later = world(store, check).pins;
    await list(later, offered);
    expect(shown(later, offered)).toEqual(['y']);
  });

  it('stays rejected', async () => {
    const { pins } = world(memoryStore(), check);
    await list(pins, offered, {}, { ...SERVER, mode: 'trust' });
    await pins.decide(SERVER, waiting(pins), { state: 'rejected', by: 'user:owner' });
    await list(pins, offered, {}, { ...SERVER, mode: 'trust' });
    expect(shown(pins, offered)).toEqual(['y']);
  });
});
