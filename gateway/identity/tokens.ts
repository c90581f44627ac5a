import { createHmac, createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { newToken } from '../contract/token.ts';
import type { ConfigStore, TokenRecord } from '../storage/contracts.ts';
import type { TokenScope } from './principal.ts';

export interface NewToken {
  readonly name: string;
  readonly subject: string;
  readonly administrator: boolean;
  readonly scope: TokenScope;
  /** Milliseconds since the epoch; null for a token that does not expire. */
  readonly expires: number | null;
}

export interface Issued {
  /** Exists nowhere else. */
  readonly value: string;
  readonly record: TokenRecord;
}

/** The name is another token's. */
export class NameTakenError extends Error {}

/** Makes, changes and takes back tokens. What it has done is in the store when it resolves. */
export interface Tokens {
  /** Rejects with a `NameTakenError`. */
  create(request: NewToken): Promise<Issued>;
  /** A new value for a token; the one before holds for `grace` ms more. Undefined when there is no such token. */
  rotate(id: string, grace: number): Promise<Issued | undefined>;
  /** Takes back those that are `chosen`; answers their ids. */
  revoke(chosen: (record: TokenRecord) => boolean): Promise<string[]>;
}

export function createTokens(deps: {
  readonly store: ConfigStore;
  readonly key: Buffer;
  readonly now: () => number;
}): Tokens {
  const { store, now } = deps;
  const key = createSecretKey(deps.key);
  return {
    create: async (request) => {
      const issued = issue(key, request, now());
      await store.update((state) => {
        if (state.tokens.some(({ name }) => name === request.name))
          throw new NameTakenError(
            `a token named "${request.name}" exists; revoke it first or choose another name`,
          );
        return { ...state, tokens: [...state.tokens, issued.record] };
      });
      return issued;
    },
    rotate: async (id, grace) => {
      let issued: Issued | undefined;
      await store.update((state) => ({
        ...state,
        tokens: state.tokens.map((record) => {
          if (record.id !== id) return record;
          issued = renewed(key, record, grace, now());
          return issued.record;
        }),
      }));
      return issued;
    },
    revoke: async (chosen) => {
      const revoked: string[] = [];
      await store.update((state) => ({
        ...state,
        tokens: state.tokens.filter((record) => {
          if (!chosen(record)) return true;
          revoked.push(record.id);
          return false;
        }),
      }));
      return revoked;
    },
  };
}

/** The kind of token that a subject has: a service account's are locked to what they list. */
export function kindOf(subject: string): TokenRecord['kind'] {
  return subject.startsWith('serviceaccount:') ? 'vat' : 'pat';
}

function issue(key: KeyObject, request: NewToken, now: number): Issued {
  const { name, subject, administrator, scope, expires } = request;
  const kind = kindOf(subject);
  const value = newToken(kind, randomBytes(32));
  const record: TokenRecord = {
    id: randomBytes(6).toString('hex'),
    name,
    subject,
    hash: hashToken(key, value),
    kind,
    administrator,
    scope,
    previous: null,
    createdAt: new Date(now).toISOString(),
    expiresAt: expires === null ? null : new Date(expires).toISOString(),
  };
  return { value, record };
}

function renewed(key: KeyObject, record: TokenRecord, grace: number, now: number): Issued {
  const value = newToken(record.kind, randomBytes(32));
  const previous = grace > 0 ? { hash: record.hash, until: new Date(now + grace).toISOString() } : null;
  return { value, record: { ...record, hash: hashToken(key, value), previous } };
}

/** What is kept of a token's value. */
export function hashToken(key: KeyObject, token: string): string {
  return createHmac('sha256', key).update(token).digest('hex');
}
