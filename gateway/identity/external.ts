import { createHash } from 'node:crypto';
import { decodeJwt, jwtVerify, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions } from 'jose';
import { subjectSchema, type SubjectsConfig } from '../config/subjects.ts';
import { createIssuerKeys, type FetchJson } from './issuer-keys.ts';
import { WHOLE_SCOPE, type Principal } from './principal.ts';
import type { Warrant } from './sign-ins.ts';

type IssuerConfig = SubjectsConfig['oidc'][number];

/** People and programs whose tokens other issuers make: JSON Web Tokens (RFC 7519, RFC 8725). */
export interface ExternalIdentity {
  /** The principal of a token; undefined when no configured issuer made it for this gateway, or it is over. */
  authenticate(jwt: string): Principal | Promise<Principal | LackingScopes | undefined>;
  /**
   * Whom an ID token (OpenID Connect Core 1.0, section 2) signs in: who would have a token with the same claims. It
   * holds as long as its issuer is configured as it is now. Rejects, in words that hold nothing of it.
   */
  signIn(idToken: string, expected: ExpectedIdToken): Promise<Warrant>;
  /** True while a token that was shown for this principal is not over, and its issuer is configured as it was. */
  holds(principal: Principal): boolean;
  /** Follows a changed configuration. */
  apply(issuers: readonly IssuerConfig[]): void;
}

export interface ExpectedIdToken {
  readonly issuer: string;
  readonly clientId: string;
  readonly nonce: string;
  /** What the issuer says of the person elsewhere; the token's own claims go before. */
  readonly userInfo: Readonly<Record<string, unknown>>;
}

/** A token that is right in all but its scopes. */
export class LackingScopes {
  /** All that it has to have. */
  readonly required: readonly string[];

  constructor(required: readonly string[]) {
    this.required = required;
  }
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
    const key = keyOf(by, made);
    const before = people.get(key);
    const known: Known =
      before?.by === by ? before : { principal: { ...made, tokenId: idOf(key) }, expires, by };
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
      return verify(jwt, trusted, now(), deps.onRefused).then((found) =>
        found instanceof LackingScopes
          ? found
          : found && remember(hash, found.made, found.expires, found.by).principal,
      );
    },
    signIn: async (idToken, expected) => {
      const by = trusted.get(expected.issuer);
      if (by === undefined) throw new Error(`${expected.issuer} is not configured any more`);
      const payload = await verifyIdToken(idToken, by, expected, now());
      const made = principalOf({ ...expected.userInfo, ...payload }, by.config);
      return {
        principal: { ...made, tokenId: idOf(keyOf(by, made)) },
        holds: () => trusted.get(by.config.issuer) === by,
      };
    },
  };
}

/** Whether the claims that say who somebody is are there. */
export function namesPerson(payload: JWTPayload, { claims }: IssuerConfig): boolean {
  return [claims.user, claims.teams].every(
    (claim) => claim === undefined || claimAt(payload, claim) !== undefined,
  );
}

function keyOf(by: Trusted, { subject, claims }: Omit<Principal, 'tokenId'>): string {
  return JSON.stringify([by.config.issuer, subject, claims.teams]);
}

function idOf(key: string): string {
  return `oidc-${sha256(key).slice(0, 16)}`;
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
): Promise<{ made: Omit<Principal, 'tokenId'>; expires: number; by: Trusted } | LackingScopes | undefined> {
  const by = trusted.get(claimedIssuer(jwt) ?? '');
  if (by === undefined) return undefined;
  const { issuer, audience, clockSkew, requiredScopes } = by.config;
  try {
    const { payload } = await jwtVerify(jwt, by.keys, checks(by, at));
    if (!isFor([audience].flat(), [payload.aud ?? []].flat())) throw new Error('it is for another audience');
    if (!hasScopes(payload, requiredScopes)) {
      onRefused(issuer, `it lacks scopes of ${requiredScopes.join(' ')}`);
      return new LackingScopes(requiredScopes);
    }
    const expires = (payload.exp ?? 0) * 1_000 + clockSkew;
    return { made: principalOf(payload, by.config), expires, by };
  } catch (error) {
    onRefused(issuer, (error as Error).message);
    return undefined;
  }
}

/** RFC 8725: what a token of an issuer is checked for in any case. */
function checks({ config }: Trusted, at: number): JWTVerifyOptions {
  return {
    issuer: config.issuer,
    algorithms: ALGORITHMS,
    requiredClaims: ['exp'],
    clockTolerance: config.clockSkew / 1_000,
    currentDate: new Date(at),
  };
}

async function verifyIdToken(
  idToken: string,
  by: Trusted,
  { clientId, nonce }: ExpectedIdToken,
  at: number,
): Promise<JWTPayload> {
  const { payload } = await jwtVerify(idToken, by.keys, { ...checks(by, at), audience: clientId });
  if (payload['nonce'] !== nonce) throw new Error('the ID token is the answer to another sign-in');
  const party = payload['azp'];
  if (party !== undefined && party !== clientId) throw new Error('the ID token is for another client');
  return payload;
}

/** A token is for this gateway when it is for a configured audience, or for an address beneath one (RFC 8707). */
function isFor(audiences: readonly string[], claimed: readonly string[]): boolean {
  return claimed.some((one) =>
    audiences.some(
      (own) => one === own || (/^https?:/.test(own) && one.startsWith(`${own.replace(/\/$/, '')}/`)),
    ),
  );
}

/** `scope` is RFC 9068's; some issuers call it `scp` and write a list. */
function hasScopes(payload: JWTPayload, required: readonly string[]): boolean {
  const claims = [payload['scope'], payload['scp']].flat();
  const given = new Set(claims.flatMap((claim) => (typeof claim === 'string' ? claim.split(' ') : [])));
  return required.every((scope) => given.has(scope));
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
  // Whoever may write any address there could be anybody.
  if (claims.user === 'email' && payload['email_verified'] === false)
    throw new Error('the issuer has not verified the e-mail address');
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
