import { createHash } from 'node:crypto';
import { fillPlaceholders, placeholdersOf } from '../config/placeholders.ts';
import type { ServerConfig } from '../config/schema.ts';
import type { SecretVault } from './vault.ts';

/** A registration: what a person gave for it goes to no other, not even to one of the same name. */
export interface Registration {
  /** `group:server`. */
  readonly id: string;
  readonly fingerprint: string;
  readonly server: Pick<ServerConfig, 'auth' | 'env'>;
}

/** What each person gave for a server whose headers or environment have placeholders. Answers from memory. */
export interface PersonalCredentials {
  /** The placeholders that a person has not filled in. */
  missing(registration: Registration, subject: string): string[];
  /** Puts a person's values into a text. Throws where one is missing. */
  fill(registration: Registration, subject: string, text: string): string;
  /** Changes whenever a value of the person's does; undefined while one is missing. */
  signature(registration: Registration, subject: string): string | undefined;
  /** Whoever has filled in all, by subject. */
  holders(registration: Registration): string[];
  /** Keeps values by the names of placeholders. */
  set(registration: Registration, subject: string, values: Readonly<Record<string, string>>): Promise<void>;
  /** Takes back all that a person gave. False when there was nothing. */
  remove(registration: Registration, subject: string): Promise<boolean>;
}

/** `onUsed` is told each value that goes into a connection. */
export function createPersonalCredentials(
  vault: SecretVault,
  onUsed: (value: string, name: string) => void = () => undefined,
): PersonalCredentials {
  const valueOf = (registration: Registration, subject: string, name: string): string | undefined =>
    vault.get(keyOf(registration, subject, name));
  const missing = (registration: Registration, subject: string): string[] =>
    placeholdersOf(registration.server).filter((name) => valueOf(registration, subject, name) === undefined);
  return {
    missing,
    fill: (registration, subject, text) =>
      fillPlaceholders(text, (name) => {
        const value = valueOf(registration, subject, name);
        if (value === undefined) throw new Error(`${subject} has not given ${name} for ${registration.id}`);
        onUsed(value, name);
        return value;
      }),
    signature: (registration, subject) => {
      if (missing(registration, subject).length > 0) return undefined;
      const values = placeholdersOf(registration.server).map((name) => valueOf(registration, subject, name));
      return createHash('sha256').update(JSON.stringify(values)).digest('hex');
    },
    holders: (registration) => {
      const prefix = prefixOf(registration);
      const subjects = vault.list().flatMap(({ name }) => {
        const [subject] = name.startsWith(prefix) ? name.slice(prefix.length).split('/') : [];
        return subject === undefined ? [] : [decodeURIComponent(subject)];
      });
      return [...new Set(subjects)].filter((subject) => missing(registration, subject).length === 0).sort();
    },
    set: async (registration, subject, values) => {
      for (const [name, value] of Object.entries(values))
        await vault.set(keyOf(registration, subject, name), value);
    },
    remove: async (registration, subject) => {
      const names = placeholdersOf(registration.server).map((name) => keyOf(registration, subject, name));
      const gone = await Promise.all(names.map((name) => vault.delete(name)));
      return gone.includes(true);
    },
  };
}

/** The server (`group:server`) that a record of the vault was given for; undefined where it is another kind of record. */
export function serverGivenFor(name: string): string | undefined {
  const [kind, id] = name.split('/');
  return kind === 'person' ? id : undefined;
}

/** A slash is in no name that `${secret:NAME}` could reach. */
function prefixOf({ id, fingerprint }: Registration): string {
  return `person/${id}/${fingerprint}/`;
}

function keyOf(registration: Registration, subject: string, name: string): string {
  return `${prefixOf(registration)}${encodeURIComponent(subject)}/${name}`;
}
