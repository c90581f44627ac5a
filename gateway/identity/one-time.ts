import { createHash, randomBytes } from 'node:crypto';

/** Values that are kept under a random code for a while, and given out once. Of the code only its hash is kept. */
export interface OneTime<T> {
  /** `expires` in ms since the epoch. */
  put(value: T): { readonly code: string; readonly expires: number };
  /** The value, to the first who asks in time; undefined to all others. */
  take(code: string): T | undefined;
}

/** At most `max` are kept: the oldest makes room. `lifetime` in ms. */
export function createOneTime<T>(max: number, lifetime: number, now: () => number): OneTime<T> {
  const kept = new Map<string, { readonly value: T; readonly expires: number }>();
  return {
    put: (value) => {
      for (const [hash, { expires }] of kept) {
        if (expires > now() && kept.size < max) break;
        kept.delete(hash);
      }
      const code = randomBytes(32).toString('base64url');
      const expires = now() + lifetime;
      kept.set(hashOf(code), { value, expires });
      return { code, expires };
    },
    take: (code) => {
      const hash = hashOf(code);
      const found = kept.get(hash);
      kept.delete(hash);
      return found !== undefined && found.expires > now() ? found.value : undefined;
    },
  };
}

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('hex');
}
