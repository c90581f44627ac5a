import { placeholdersOf } from '../config/placeholders.ts';
import { signsInEach } from '../config/oauth.ts';
import type { ServerConfig } from '../config/schema.ts';
import type { Oauth } from '../credentials/oauth/oauth.ts';
import { holderOf, oauthTarget, type OauthTarget } from '../credentials/oauth/target.ts';
import type { PersonalCredentials } from '../credentials/personal.ts';
import type { Pinned } from '../registry/pin.ts';
import type { ConnectDeps } from './connect.ts';
import { ConsentNeededError, CredentialsMissingError } from './errors.ts';

/** Where the credentials come from that are not in the configuration. */
export interface CredentialSources {
  readonly personal: PersonalCredentials;
  readonly oauth: Oauth;
}

/** How the connections of a server are made that asks for credentials beside those in the configuration. */
export interface OwnCredentials {
  /** Whether each person has a connection of their own. */
  readonly apart: boolean;
  /** Says what it is listed with, and where that is given. */
  missing(): CredentialsMissingError;
  /** Changes with the credentials. Throws a `CredentialsMissingError` while some are missing. */
  signature(subject: string): string;
  /** Whoever has given all, by subject. */
  holders(): string[];
  /** What connecting takes, with the person's credentials in it. */
  depsOf(subject: string): ConnectDeps;
}

/** Undefined for a server whose credentials are all in the configuration. */
export function ownCredentials(
  server: ServerConfig,
  deps: ConnectDeps & CredentialSources,
  { id, fingerprint }: Pinned,
): OwnCredentials | undefined {
  const target = oauthTarget({ id, fingerprint }, server);
  if (target !== undefined) return byConsent(target, deps);
  const names = placeholdersOf(server).join(', ');
  if (names === '') return undefined;
  const { personal, launch } = deps;
  const registration = { id, fingerprint, server };
  const how = `toolgate credential set ${id}, or PUT /api/v1/credentials/${id.replace(':', '/')}`;
  return {
    apart: true,
    missing: () =>
      new CredentialsMissingError(`it is listed when the first person has given ${names} (${how})`),
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

function byConsent(target: OauthTarget, deps: ConnectDeps & CredentialSources): OwnCredentials {
  const { oauth } = deps;
  const each = signsInEach(target.auth);
  const machine = target.auth.grant === 'client-credentials';
  const who = each ? 'the first person' : 'somebody who manages its group';
  return {
    apart: each,
    missing: () =>
      new ConsentNeededError(
        target.id,
        `it is listed when ${who} has signed in (toolgate credential login ${target.id})`,
      ),
    holders: () => (machine ? [holderOf(target, '')] : oauth.holders(target)),
    signature: (subject) => {
      const holder = holderOf(target, subject);
      const signature = oauth.signature(target, holder);
      if (signature !== undefined) return signature;
      const why = oauth.health(target, holder).problem ?? 'for the first time';
      throw new ConsentNeededError(target.id, `${each ? subject : who} has to sign in (${why})`);
    },
    depsOf: (subject) => ({ ...deps, authorizer: oauth.authorizer(target, holderOf(target, subject)) }),
  };
}
