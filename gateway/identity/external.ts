import { createHash } from 'node:crypto';
import { decodeJwt, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { subjectSchema, type SubjectsConfig } from '../config/subjects.ts';
import { createIssuerKeys, type FetchJson } from './issuer-keys.ts';
import { WHOLE_SCOPE, type Principal } from './principal.ts';

type IssuerConfig = SubjectsConfig['oidc'][number];

/** People and programs whose tokens other issuers make: JSON Web Tokens (RFC 7519, RFC 8725). */
export interface ExternalIdentity {
  /** The principal of a token; undefined when no configured issuer made it for this gateway, or it is over. */
  authenticate(jwt: string): Principal | Promise<Principal | undefined>;
  /** True while a token that was shown for this principal is not over, and its issuer is configured as it was. */
  holds(principal: Principal): boolean;
  /** Follows a changed configuration. */
  apply(issuers: readonly IssuerConfig[]): void;
}

/** What is no token of any issuer's is not looked at twice. */
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const MAX_LENGTH = 16_384;
/** Never `none`, and nothing that is checked with a key which could be guessed or is public. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const MAX_KNOWN = 10_000;
const MAX_TEAMS = 200;
/** The subject of the gateway's own operator, whom no issuer can name. */
const RESERVED = 'user:owner';

export function isJwt(text: string): boolean {
  return text.length <= MAX_LENGTH && JWT.test(text);
}

export function createExternalIdentity(deps: {
  readonly issuers: readonly IssuerConfig[];
  readonly fetchJson: FetchJson;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told why a token was refused, in words that hold nothing of it. */
  readonly onRefused: (issuer: string, reason: string) => void;
}): ExternalIdentity {
  const { now } = deps;
  let trusted = new Map<string, Trusted>();
  /** Verified tokens by their hash. */
  const verified = new Map<string, Known>();
  /** One principal for one person as long as the issuer says the same: sessions outlive a renewed token. */
  const people = new Map<string, Known>();
  const issued = new WeakMap<Principal, Known>();

  const apply = (issuers: readonly IssuerConfig[]): void => {
    const next = issuers.map((config): [string, Trusted] => {
      const former = trusted.get(config.issuer);
      if (JSON.stringify(former?.config) === JSON.stringify(config) && former) return [config.issuer, former];
      return [config.issuer, { config, keys: createIssuerKeys(config, deps.fetchJson, now) }];
    });
    trusted = new Map(next);
  };
  apply(deps.issuers);
  const holds = ({ expires, by }: Known): boolean => expires > now() && trusted.get(by.config.issuer) === by;

  const remember = (hash: string, made: Omit<Principal, 'tokenId'>, expires: number, by: Trusted): Known => {
    const key = JSON.stringify([by.config.issuer, made.subject, made.claims.teams]);
    const before = people.get(key);
    const known: Known =
      before?.by === by
        ? before
        : { principal: { ...made, tokenId: `oidc-${sha256(key).slice(0, 16)}` }, expires, by };
    known.expires = Math.max(known.expires, expires);
    keep(people, key, known);
    keep(verified, hash, { ...known, expires });
    issued.set(known.principal, known);
    return known;
  };

  return {
    apply,
    holds: (principal) => {
      const known = issued.get(principal);
      return known !== undefined && holds(known);
    },
    authenticate: (jwt) => {
      const hash = sha256(jwt);
      const known = verified.get(hash);
      if (known !== undefined && holds(known)) return known.principal;
      verified.delete(hash);
      return verify(jwt, trusted, now(), deps.onRefused).then(
        (found) => found && remember(hash, found.made, found.expires, found.by).principal,
      );
    },
  };
}

interface Trusted {
  readonly config: IssuerConfig;
  readonly keys: JWTVerifyGetKey;
}

interface Known {
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  expires: number;
  readonly by: Trusted;
}

async function verify(
  jwt: string,
  trusted: ReadonlyMap<string, Trusted>,
  at: number,
  onRefused: (issuer: string, reason: string) => void,
): Promise<{ made: Omit<Principal, 'tokenId'>; expires: number; by: Trusted } | undefined> {
  const by = trusted.get(claimedIssuer(jwt) ?? '');
  if (by === undefined) return undefined;
  const { issuer, audience, clockSkew } = by.config;
  try {
    const { payload } = await jwtVerify(jwt, by.keys, {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      requiredClaims: ['exp'],
      clockTolerance: clockSkew / 1_000,
      currentDate: new Date(at),
    });
    const expires = (payload.exp ?? 0) * 1_000 + clockSkew;
    return { made: principalOf(payload, by.config), expires, by };
  } catch (error) {
    onRefused(issuer, (error as Error).message);
    return undefined;
  }
}

/** What a token says of its issuer, to choose the keys that it is checked with. */
function claimedIssuer(jwt: string): string | undefined {
  try {
    return decodeJwt(jwt).iss;
  } catch {
    return undefined;
  }
}

function principalOf(payload: JWTPayload, { claims }: IssuerConfig): Omit<Principal, 'tokenId'> {
  const id = claimAt(payload, claims.user);
  if (typeof id !== 'string') throw new Error(`the claim ${claims.user} names nobody`);
  const subject = subjectSchema.safeParse(`user:${id}`);
  if (!subject.success) throw new Error(`the claim ${claims.user} is no id of a person`);
  if (subject.data === RESERVED) throw new Error(`${RESERVED} is nobody that an issuer could name`);
  const teams = claims.teams === undefined ? [] : claimAt(payload, claims.teams);
  return {
    subject: subject.data,
    administrator: true,
    claims: { teams: namesIn(teams) },
    scope: WHOLE_SCOPE,
  };
}

/** `realm_access.roles` is a claim in a claim, unless a claim has that very name. */
function claimAt(payload: JWTPayload, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path];
  return path
    .split('.')
    .reduce<unknown>(
      (value, part) =>
        typeof value === 'object' && value !== null && Object.hasOwn(value, part)
          ? (value as Readonly<Record<string, unknown>>)[part]
          : undefined,
      payload,
    );
}

function namesIn(value: unknown): string[] {
  const given: unknown[] = Array.isArray(value) ? value : [value];
  const names = given.filter((name): name is string => typeof name === 'string' && name.length <= 200);
  return [...new Set(names)].slice(0, MAX_TEAMS).sort();
}

/** The oldest makes room. */
function keep(into: Map<string, Known>, key: string, known: Known): void {
  into.delete(key);
  into.set(key, known);
  const [oldest] = into.keys();
  if (into.size > MAX_KNOWN && oldest !== undefined) into.delete(oldest);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
