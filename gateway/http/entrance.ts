import type { IncomingMessage, ServerResponse } from 'node:http';
import { createPeople } from '../access/people.ts';
import type { Decide } from '../access/decide.ts';
import type { Config } from '../config/schema.ts';
import { createExternalIdentity } from '../identity/external.ts';
import { createIdentity, type Identity } from '../identity/identity.ts';
import { createOidcSignIn } from '../identity/oidc-sign-in.ts';
import { createOneTime } from '../identity/one-time.ts';
import { createSignIns, type Warrant } from '../identity/sign-ins.ts';
import type { ConfigStore } from '../storage/contracts.ts';
import type { Log } from '../telemetry/log.ts';
import type { Dispatchers } from '../upstream/dispatcher.ts';
import { createFetchAnswer, createFetchJson } from '../upstream/fetch-json.ts';
import { createCookie } from './cookies.ts';
import type { OwnAddress } from './own-address.ts';
import { createPageCaller } from './page.ts';
import { createPerimeter, type Perimeter } from './perimeter.ts';
import { createProtectedResource } from './protected-resource.ts';
import { createSignInRoutes, linkTo } from './sign-in.ts';

type Route<T> = (req: IncomingMessage, res: ServerResponse, path: string) => T;

/** Who is let in, and by what: tokens of the gateway's own and of issuers, and browsers that are signed in. */
export interface Entrance {
  readonly identity: Identity;
  readonly perimeter: Perimeter;
  readonly protectedResource: Route<boolean>;
  readonly signIn: Route<Promise<boolean>>;
  /** Whom the browser of a request is signed in as, at any path; it may do nothing by that alone. */
  personAt(req: IncomingMessage): string | undefined;
  /** Whether people sign in to the console at an issuer, so that each browser can be known. */
  peopleSignIn(): boolean;
  /** A one-time link to the console for the bearer of a gateway token; undefined when it does not hold. */
  link(token: string): string | undefined;
  /** Follows a changed configuration. */
  apply(next: Config): void;
  close(): void;
}

/** A link is opened at once by whoever has asked for it. */
const LINK_MS = 5 * 60_000;
const MAX_LINKS = 1_000;

export function createEntrance(deps: {
  readonly config: Config;
  readonly configStore: ConfigStore;
  readonly tokenKey: Buffer;
  readonly ownerToken: string | undefined;
  readonly decide: Decide;
  readonly dispatchers: Dispatchers;
  readonly address: OwnAddress;
  readonly port: () => number;
  /** Gives a reference's value. */
  readonly resolve: (text: string) => string;
  readonly log: Log;
  readonly now: () => number;
}): Entrance {
  const { address, log, now } = deps;
  let { subjects } = deps.config;
  let people = createPeople(subjects);
  const issuers = () => subjects.oidc;
  const times = () => subjects.signIn;
  const fetchJson = createFetchJson(deps.dispatchers);
  const external = createExternalIdentity({
    issuers: subjects.oidc,
    fetchJson,
    now,
    onRefused: (issuer, reason) => log.info({ issuer, reason }, 'a token of an issuer was refused'),
  });
  const signIns = createSignIns({
    times,
    barred: (principal) => people(principal).barred !== undefined,
    now,
  });
  const identity = createIdentity({
    external,
    signedIn: signIns.holds,
    store: deps.configStore,
    key: deps.tokenKey,
    ownerToken: deps.ownerToken,
    now,
  });
  const cookie = createCookie('sign-in', 'Strict', address, deps.port);
  const pageCaller = createPageCaller(signIns, cookie);
  const perimeter = createPerimeter({ identity, address, issuers, pageCaller });
  const links = createOneTime<Warrant>(MAX_LINKS, LINK_MS, now);
  const fetchAnswer = createFetchAnswer(deps.dispatchers);
  const oidc = createOidcSignIn({ issuers, external, fetchJson, fetchAnswer, resolve: deps.resolve, now });
  const begun = createCookie('begun', 'Lax', address, deps.port);
  return {
    identity,
    perimeter,
    protectedResource: createProtectedResource(address, issuers),
    signIn: createSignInRoutes({
      ...{ perimeter, address, identity, signIns, times, oidc, links, cookie, begun, pageCaller, log },
      decide: deps.decide,
    }),
    personAt: (req) => {
      const id = cookie.read(req);
      return id === undefined ? undefined : signIns.subjectOf(id);
    },
    peopleSignIn: () => oidc.names().length > 0,
    link: (token) => {
      const principal = identity.authenticate(token);
      const holds = (): boolean => principal !== undefined && identity.holds(principal);
      return principal && linkTo(address, links, { principal, holds }).link;
    },
    apply: (next) => {
      subjects = next.subjects;
      people = createPeople(subjects);
      external.apply(subjects.oidc);
    },
    close: () => {
      perimeter.close();
      identity.close();
    },
  };
}
