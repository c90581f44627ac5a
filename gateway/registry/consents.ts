import type { LaunchView } from '../contract/config.ts';
import type { ConfigStore } from '../storage/contracts.ts';

/** The commands whose running somebody has consented to, by the hash of what is run. */
export interface Consents {
  has(hash: string): boolean;
  /** Resolves when it is written down by whom the commands may run. */
  record(launches: readonly LaunchView[], by: string): Promise<void>;
}

/** So many are remembered, the newest; whoever runs an older one again is asked again. */
const MOST = 1_000;

export function createConsents(store: ConfigStore, now: () => number): Consents {
  return {
    has: (hash) => store.current().consents.some((consent) => consent.hash === hash),
    record: async (launches, by) => {
      if (launches.length === 0) return;
      const at = new Date(now()).toISOString();
      const given = launches.map(({ consent }) => ({ hash: consent, by, at }));
      await store.update((state) => ({ ...state, consents: [...state.consents, ...given].slice(-MOST) }));
    },
  };
}
