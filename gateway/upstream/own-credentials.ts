import { placeholdersOf } from '../config/placeholders.ts';
import type { ServerConfig } from '../config/schema.ts';
import type { PersonalCredentials } from '../credentials/personal.ts';
import type { Pinned } from '../registry/pin.ts';
import type { ConnectDeps } from './connect.ts';
import { CredentialsMissingError } from './errors.ts';

/** How the connections of a server that asks each person for credentials are made. */
export interface OwnCredentials {
  /** What it asks for, in words, and where that is given. */
  readonly names: string;
  readonly how: string;
  /** Changes with the person's credentials. Throws a `CredentialsMissingError` while one is missing. */
  signature(subject: string): string;
  holders(): string[];
  /** What connecting takes, with the person's values in it. */
  depsOf(subject: string): ConnectDeps;
}

/** Undefined for a server that is the same for everybody. */
export function ownCredentials(
  server: ServerConfig,
  deps: ConnectDeps & { readonly personal: PersonalCredentials },
  { id, fingerprint }: Pinned,
): OwnCredentials | undefined {
  const names = placeholdersOf(server).join(', ');
  if (names === '') return undefined;
  const { personal, launch } = deps;
  const registration = { id, fingerprint, server };
  const how = `toolgate credential set ${id}, or PUT /api/v1/credentials/${id.replace(':', '/')}`;
  return {
    names,
    how,
    holders: () => personal.holders(registration),
    signature: (subject) => {
      const signature = personal.signature(registration, subject);
      if (signature !== undefined) return signature;
      const missing = personal.missing(registration, subject).join(', ');
      throw new CredentialsMissingError(`${subject} has yet to give ${missing}: ${how}`);
    },
    // References first: what a person gives is no reference.
    depsOf: (subject) => ({
      ...deps,
      launch: { ...launch, resolve: (text) => personal.fill(registration, subject, launch.resolve(text)) },
    }),
  };
}
