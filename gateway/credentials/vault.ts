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
  /** Called after a change, by whomever. Returns the way to stop it. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Whoever keeps these secrets is not this process, and they cannot be changed here. */
export class VaultReadOnlyError extends Error {}

/** Secrets that were handed over in memory, and are kept by whoever did. */
export function createHandedVault(secrets: Readonly<Record<string, string>>, keeper: string): SecretVault {
  const refuse = (): Promise<never> =>
    Promise.reject(new VaultReadOnlyError(`these secrets are kept by ${keeper}: change them there`));
  return {
    get: (name) => (Object.hasOwn(secrets, name) ? secrets[name] : undefined),
    set: refuse,
    delete: refuse,
    list: () =>
      Object.keys(secrets)
        .sort()
        .map((name) => ({ name, updatedAt: null })),
    onChange: () => () => undefined,
    close: () => Promise.resolve(),
  };
}
