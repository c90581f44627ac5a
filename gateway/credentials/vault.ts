/** A secret's name, as `${secret:NAME}` writes it. */
export const SECRET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export interface SecretEntry {
  readonly name: string;
  /** ISO 8601; null where it is not known. */
  readonly updatedAt: string | null;
}

/** The one place where secrets are kept. Reading costs nothing; what was set or deleted is kept when it resolves. */
export interface SecretVault {
  get(name: string): string | undefined;
  set(name: string, value: string): Promise<void>;
  /** False when there was none. */
  delete(name: string): Promise<boolean>;
  /** By name. */
  list(): readonly SecretEntry[];
  /** Called after a change, by whomever, with the names that have another value or none. Returns the way to stop it. */
  onChange(listener: (changed: readonly string[]) => void): () => void;
  close(): Promise<void>;
}

/** What cannot be kept, with the reason in words for a person. */
export class VaultReadOnlyError extends Error {
  /** What a refusal names. */
  readonly rule: string = 'secrets-read-only';
}

/** The secrets were encrypted under a key that this process does not have; nothing can be changed until it does. */
export class VaultKeyError extends VaultReadOnlyError {
  override readonly rule = 'master-key';
}

/** A vault whose secrets another process keeps. */
export interface HandedVault extends SecretVault {
  /** Takes all that the keeper has by now. */
  replace(secrets: Readonly<Record<string, string>>): void;
}

/**
 * Secrets that were handed over in memory. What is set or deleted here is kept when `keep` resolves, null being a
 * deletion; it rejects with words for a person.
 */
export function createHandedVault(
  handed: Readonly<Record<string, string>>,
  keep: (name: string, value: string | null) => Promise<void>,
): HandedVault {
  const listeners = new Set<(names: readonly string[]) => void>();
  let secrets = new Map(Object.entries(handed));
  const changed = (names: readonly string[]): void => listeners.forEach((listener) => listener(names));
  const kept = async (name: string, value: string | null): Promise<void> => {
    try {
      await keep(name, value);
    } catch (error) {
      throw new VaultReadOnlyError((error as Error).message, { cause: error });
    }
  };
  return {
    get: (name) => secrets.get(name),
    set: async (name, value) => {
      await kept(name, value);
      secrets.set(name, value);
      changed([name]);
    },
    delete: async (name) => {
      if (!secrets.has(name)) return false;
      await kept(name, null);
      secrets.delete(name);
      changed([name]);
      return true;
    },
    list: () => [...secrets.keys()].sort().map((name) => ({ name, updatedAt: null })),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => Promise.resolve(),
    replace: (all) => {
      const next = new Map(Object.entries(all));
      const before = secrets;
      const names = new Set([...before.keys(), ...next.keys()]);
      secrets = next;
      const different = [...names].filter((name) => before.get(name) !== next.get(name));
      if (different.length > 0) changed(different);
    },
  };
}
