import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Handshake } from '../../../gateway/upstream/connection.ts';
import { UnavailableError } from '../../../gateway/upstream/errors.ts';
import {
  negotiate,
  type EraMemory,
  type Negotiated,
  type Openings,
} from '../../../gateway/upstream/negotiation.ts';

const said = (protocolVersion: string): Handshake => ({
  protocolVersion,
  serverInfo: { name: 's', version: '1' },
  capabilities: {},
});
const MODERN = said('2026-07-28');
const LEGACY = said('2025-11-25');
const NEVER = new Promise<never>(() => undefined);

let asked: string[];
let memory: EraMemory;

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  memory = {};
});
afterEach(() => {
  vi.useRealTimers();
});

/** A server that answers so; how the gateway then speaks to it. */
async function era(
  discover: () => Promise<Handshake | undefined>,
  initialize: () => Promise<Handshake>,
  protocol: 'auto' | 'legacy' | 'modern' = 'auto',
): Promise<Negotiated> {
  const openings: Openings = {
    discover: () => {
      asked.push('discover');
      return discover();
    },
    initialize: () => {
      asked.push('initialize');
      return initialize();
    },
  };
  const settled = negotiate({ protocol, memory }, openings, new AbortController().signal);
  settled.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  return settled;
}
const later = <T>(ms: number, value: T): Promise<T> =>
  new Promise((done) => setTimeout(() => done(value), ms));
const fails = (message: string) => (): Promise<never> => Promise.reject(new UnavailableError(message));
const legacy = (): Promise<Handshake> => Promise.resolve(LEGACY);

describe('the era of a server', () => {
  it('is the modern one where it answers server/discover, and nothing else is asked', async () => {
    expect(await era(() => Promise.resolve(MODERN), legacy)).toEqual({ era: 'modern', handshake: MODERN });
    expect(asked).toEqual(['discover']);
  });

  it('is the legacy one where it does not know that', async () => {
    expect(await era(() => Promise.resolve(undefined), legacy)).toEqual({ era: 'legacy', handshake: LEGACY });
    expect(asked).toEqual(['discover', 'initialize']);
    expect(memory.shyAt).toBeUndefined();
  });

  it('is the legacy one where it keeps silent, which is remembered: it is not asked again', async () => {
    const first = await era(() => NEVER, legacy);
    expect(first).toMatchObject({ era: 'legacy', handshake: { shyAt: memory.shyAt } });
    asked = [];
    await era(() => NEVER, legacy);
    expect(asked).toEqual(['initialize']);
  });

  it('is asked for again after a week', async () => {
    await era(() => NEVER, legacy);
    asked = [];
    vi.setSystemTime(Date.now() + 8 * 86_400_000);
    await era(() => Promise.resolve(MODERN), legacy);
    expect(asked).toEqual(['discover']);
  });

  it('is the modern one where the answer comes late, as of a program that takes its time to start', async () => {
    const slow = await era(
      () => later(5_000, MODERN),
      () => later(5_001, LEGACY),
    );
    expect(slow).toEqual({ era: 'modern', handshake: MODERN, late: true });
    expect(memory.shyAt).toBeUndefined();
  });

  it('is not held against a legacy server that started slowly and answered in the end', async () => {
    const slow = await era(
      () => later(5_000, undefined),
      () => later(5_001, LEGACY),
    );
    expect(slow).toEqual({ era: 'legacy', handshake: LEGACY });
    expect(memory.shyAt).toBeUndefined();
  });

  it('is no question of credentials or of a server that is away: those fail', async () => {
    await expect(era(fails('HTTP 401'), legacy)).rejects.toThrow('HTTP 401');
    expect(asked).toEqual(['discover']);
  });

  it('is found out anew when a server that was shy does not take initialize any more', async () => {
    memory.shyAt = Date.now();
    const changed = await era(() => Promise.resolve(MODERN), fails('-32601'));
    expect(changed).toEqual({ era: 'modern', handshake: MODERN });
    expect(asked).toEqual(['initialize', 'discover']);
    expect(memory.shyAt).toBeUndefined();
  });
});

describe('a configured era', () => {
  it('legacy is never asked for', async () => {
    expect(await era(() => Promise.resolve(MODERN), legacy, 'legacy')).toMatchObject({ era: 'legacy' });
    await expect(era(() => Promise.resolve(MODERN), fails('no'), 'legacy')).rejects.toThrow('no');
    expect(asked).toEqual(['initialize', 'initialize']);
  });

  it('modern is waited for, and nothing else will do', async () => {
    expect(await era(() => later(9_000, MODERN), legacy, 'modern')).toMatchObject({ era: 'modern' });
    await expect(era(() => Promise.resolve(undefined), legacy, 'modern')).rejects.toThrow('protocol: modern');
    expect(asked).toEqual(['discover', 'discover']);
  });
});
