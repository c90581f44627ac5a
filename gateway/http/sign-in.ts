import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Decide } from '../access/decide.ts';
import {
  CALLBACK_PATH,
  issuerRequestSchema,
  ISSUERS_PATH,
  LINKS_PATH,
  SIGN_IN_PATH,
  signInRequestSchema,
  type LinkAnswer,
  type SignedIn,
  type SignInProblem,
  type SignInState,
} from '../contract/sign-in.ts';
import type { Identity } from '../identity/identity.ts';
import { BEGUN_MS, SignInError, type OidcSignIn } from '../identity/oidc-sign-in.ts';
import type { OneTime } from '../identity/one-time.ts';
import type { Principal } from '../identity/principal.ts';
import type { SignIns, SignInTimes, Warrant } from '../identity/sign-ins.ts';
import type { Log } from '../telemetry/log.ts';
import { BodyError, readJson } from './body.ts';
import type { Cookie } from './cookies.ts';
import type { OwnAddress } from './own-address.ts';
import { isOwnPage, pageKeyOf, refusePage, type PageCaller } from './page.ts';
import type { Perimeter } from './perimeter.ts';
import { sendJsonText, sendProblem } from './respond.ts';

const BODY_LIMIT = 32 * 1024;
const PRIVATE = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };

export interface SignInRoutesDeps {
  readonly perimeter: Perimeter;
  readonly address: OwnAddress;
  readonly identity: Identity;
  readonly signIns: SignIns;
  readonly times: () => SignInTimes;
  readonly oidc: OidcSignIn;
  /** One-time links by their code. */
  readonly links: OneTime<Warrant>;
  /** Of a browser that is signed in. */
  readonly cookie: Cookie;
  /** Of a browser that is with an OpenID provider meanwhile. */
  readonly begun: Cookie;
  readonly pageCaller: (req: IncomingMessage) => PageCaller;
  readonly decide: Decide;
  readonly log: Log;
}

type Route = (req: IncomingMessage, res: ServerResponse, path: string) => Promise<boolean>;

/** Where people sign in to the console and out of it. False when the path is none of these. */
export function createSignInRoutes(deps: SignInRoutesDeps): Route {
  return async (req, res, path) => {
    if (path.startsWith(`${CALLBACK_PATH}/`)) await comeBack(deps, req, res, path);
    else if (path === SIGN_IN_PATH && req.method === 'GET') tellState(deps, req, res);
    else if (path === SIGN_IN_PATH && req.method === 'POST')
      await withBody(res, () => signIn(deps, req, res));
    else if (path === SIGN_IN_PATH && req.method === 'DELETE') signOut(deps, req, res);
    else if (path === LINKS_PATH && req.method === 'POST') await makeLink(deps, req, res);
    else if (path.startsWith(`${ISSUERS_PATH}/`) && req.method === 'POST')
      await withBody(res, () => goToIssuer(deps, req, res, path.slice(ISSUERS_PATH.length + 1)));
    else return false;
    return true;
  };
}

/** The address of a one-time link: the code is in the fragment, which no server, proxy or log is sent. */
export function linkTo(address: OwnAddress, links: OneTime<Warrant>, warrant: Warrant): LinkAnswer {
  const { code, expires } = links.put(warrant);
  return { link: `${address.base()}/#code=${code}`, expiresAt: new Date(expires).toISOString() };
}

function tellState(deps: SignInRoutesDeps, req: IncomingMessage, res: ServerResponse): void {
  const caller = deps.pageCaller(req);
  const state: SignInState = {
    signedIn: typeof caller === 'object' ? viewOf(deps, caller) : null,
    issuers: deps.oidc.names().map((name) => ({ name })),
  };
  sendJsonText(res, 200, JSON.stringify(state), PRIVATE);
}

function viewOf({ decide, signIns }: SignInRoutesDeps, principal: Principal): SignedIn {
  return {
    subject: principal.subject,
    administrator: decide(principal, { action: 'manage' }).effect === 'allow',
    expiresAt: new Date(signIns.expiresAt(principal) ?? 0).toISOString(),
  };
}

async function signIn(deps: SignInRoutesDeps, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const pageKey = keyOfPage(req, res);
  if (pageKey === undefined) return;
  const asked = signInRequestSchema.safeParse(await readJson(req, BODY_LIMIT));
  if (!asked.success) {
    sendProblem(res, 400, 'send { code } of a one-time link, or { token }', { field: 'code' });
    return;
  }
  const warrant = await warrantOf(deps, req, res, asked.data);
  if (warrant === undefined) return;
  const opened = enter(deps, req, res, warrant, pageKey);
  if (opened !== undefined) sendJsonText(res, 200, JSON.stringify(viewOf(deps, opened)), PRIVATE);
}

async function warrantOf(
  { identity, links, perimeter }: SignInRoutesDeps,
  req: IncomingMessage,
  res: ServerResponse,
  asked: { code: string } | { token: string },
): Promise<Warrant | undefined> {
  if ('token' in asked) {
    const principal = await perimeter.verify(req, res, asked.token.trim());
    return principal && { principal, holds: () => identity.holds(principal) };
  }
  const warrant = links.take(asked.code);
  if (warrant === undefined)
    perimeter.refuse(req, res, 'this link was used already, or is too old; “toolgate console” makes another');
  return warrant;
}

/** Opens a sign-in and sets its cookie; the one before of this browser ends. Answers when the person may not. */
function enter(
  deps: SignInRoutesDeps,
  req: IncomingMessage,
  res: ServerResponse,
  warrant: Warrant,
  pageKey: string,
): Principal | undefined {
  const opened = deps.signIns.open(warrant, pageKey);
  if (opened === undefined) {
    sendProblem(res, 403, `${warrant.principal.subject} may not sign in`, { rule: 'subjects' });
    return undefined;
  }
  const before = deps.pageCaller(req);
  if (typeof before === 'object') deps.signIns.end(before);
  deps.cookie.set(req, res, opened.id, deps.times().lifetime);
  return opened.principal;
}

function signOut(deps: SignInRoutesDeps, req: IncomingMessage, res: ServerResponse): void {
  const caller = deps.pageCaller(req);
  if (caller === 'page-key') {
    refusePage(res);
    return;
  }
  if (typeof caller === 'object') deps.signIns.end(caller);
  deps.cookie.clear(req, res);
  res.writeHead(204, PRIVATE).end();
}

/** With a token alone: a sign-in does not prolong itself. */
async function makeLink(deps: SignInRoutesDeps, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const principal = await deps.perimeter.identify(req, res);
  if (principal === undefined) return;
  if (deps.signIns.holds(principal)) {
    sendProblem(res, 403, 'a link is made with a token, not from a signed-in browser', {
      rule: 'token-only',
    });
    return;
  }
  const link = linkTo(deps.address, deps.links, { principal, holds: () => deps.identity.holds(principal) });
  sendJsonText(res, 200, JSON.stringify(link), PRIVATE);
}

async function goToIssuer(
  deps: SignInRoutesDeps,
  req: IncomingMessage,
  res: ServerResponse,
  name: string,
): Promise<void> {
  const pageKey = keyOfPage(req, res);
  if (pageKey === undefined) return;
  const asked = issuerRequestSchema.safeParse(await readJson(req, BODY_LIMIT));
  const origin = deps.address.originOf(req);
  const returnTo = asked.success ? ownPath(asked.data.returnTo, origin) : undefined;
  if (returnTo === undefined) {
    sendProblem(res, 400, 'returnTo: name a path of this gateway', { field: 'returnTo' });
    return;
  }
  try {
    const redirectUri = `${origin}${CALLBACK_PATH}/${name}`;
    const started = await deps.oidc.start(name, { pageKey, returnTo, redirectUri });
    if (started === undefined) {
      sendProblem(res, 404, `nobody signs in with "${name}" here`, { field: 'name' });
      return;
    }
    deps.begun.set(req, res, started.browser, BEGUN_MS);
    sendJsonText(res, 200, JSON.stringify({ location: started.location }), PRIVATE);
  } catch (error) {
    if (!(error instanceof SignInError)) throw error;
    deps.log.warn({ issuer: name, reason: error.message }, 'a sign-in could not begin');
    sendProblem(res, 502, `${name} cannot be reached; the gateway's log says why`, { rule: 'issuer' });
  }
}

/** A path of this origin, so that nobody is sent elsewhere after a sign-in; undefined when it is none. */
function ownPath(text: string, origin: string): string | undefined {
  if (!/^\/(?![/\\])[^\\\p{Cc}]*$/u.test(text) || !URL.canParse(text, origin)) return undefined;
  const url = new URL(text, origin);
  return url.origin === origin ? url.pathname.replace(/^\/+/, '/') + url.search + url.hash : undefined;
}

/** The browser is back from the provider: a navigation, which has no page key. The session is for the one who began. */
async function comeBack(
  deps: SignInRoutesDeps,
  req: IncomingMessage,
  res: ServerResponse,
  path: string,
): Promise<void> {
  const redirect = (to: string): void => void res.writeHead(303, { ...PRIVATE, location: to }).end();
  const fail = (problem: SignInProblem): void => redirect(`/#problem=${problem}`);
  if (req.method !== 'GET') {
    sendProblem(res, 405, 'an OpenID provider sends browsers here', {}, { allow: 'GET' });
    return;
  }
  const name = path.slice(CALLBACK_PATH.length + 1);
  const answer = new URLSearchParams((req.url ?? '').slice(path.length));
  try {
    const { warrant, pageKey, returnTo } = await deps.oidc.finish(name, answer, deps.begun.read(req));
    const opened = deps.signIns.open(warrant, pageKey);
    deps.begun.clear(req, res);
    if (opened === undefined) {
      fail('person');
      return;
    }
    deps.cookie.set(req, res, opened.id, deps.times().lifetime);
    redirect(returnTo);
  } catch (error) {
    if (!(error instanceof SignInError)) throw error;
    deps.log.info({ issuer: name.slice(0, 64), reason: error.message }, 'a sign-in failed');
    fail(error.problem);
  }
}

function keyOfPage(req: IncomingMessage, res: ServerResponse): string | undefined {
  const key = isOwnPage(req) ? pageKeyOf(req) : undefined;
  if (key === undefined) refusePage(res);
  return key;
}

async function withBody(res: ServerResponse, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    sendProblem(res, error.status, error.message);
  }
}
