import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity } from '../identity/identity.ts';
import type { Principal } from '../identity/principal.ts';
import { LackingScopes } from '../identity/external.ts';
import { refusePage, type PageCaller } from './page.ts';
import { challenge, type IssuerView } from './protected-resource.ts';
import type { OwnAddress } from './own-address.ts';
import { createFailures } from './failures.ts';
import { sendProblem } from './respond.ts';

/**
 * The outermost checks of every request. Host and Origin are compared exactly, always, so that a web page in the
 * user's browser reaches the gateway neither by DNS rebinding nor across origins.
 */
export interface Perimeter {
  /** False when the request was refused and answered. */
  admit(req: IncomingMessage, res: ServerResponse): boolean;
  /** The caller; undefined when the request was refused and answered: 401, or 429 after many wrong tokens. */
  identify(req: IncomingMessage, res: ServerResponse): Principal | undefined | Promise<Principal | undefined>;
  /** Whose token this is that was not sent in a header; else refuses and answers as `identify` does. */
  verify(
    req: IncomingMessage,
    res: ServerResponse,
    token: string,
  ): Principal | undefined | Promise<Principal | undefined>;
  /** Answers a caller whose word is wrong: 401 with the detail, or 429 after many. */
  refuse(req: IncomingMessage, res: ServerResponse, detail: string): void;
  close(): void;
}

/** How soon an answer under way ends when the token that asked for it holds no more. */
const SWEEP_MS = 2_000;

/** The desktop editor's own window, which reads registries: no web page can have this origin. */
const EDITOR = 'vscode-file://vscode-app';

export function createPerimeter(deps: {
  readonly identity: Identity;
  readonly address: OwnAddress;
  /** Whose tokens are taken beside the gateway's own. */
  readonly issuers: () => readonly IssuerView[];
  readonly pageCaller: (req: IncomingMessage) => PageCaller;
}): Perimeter {
  const { identity, address, issuers } = deps;
  const answering = new Map<ServerResponse, Principal>();
  let leaving: readonly ServerResponse[] = [];
  const sweep = setInterval(() => {
    // What can end in good order has until the next round.
    for (const res of leaving) if (answering.has(res)) res.destroy();
    leaving = [...answering].flatMap(([res, principal]) => (identity.holds(principal) ? [] : [res]));
  }, SWEEP_MS).unref();
  const failures = createFailures(() => performance.now());
  /** True when the caller is to wait, and was told so. */
  const throttled = (req: IncomingMessage, res: ServerResponse): boolean => {
    const wait = failures.add(req.socket.remoteAddress ?? '');
    if (wait === 0) return false;
    const detail = `too many wrong tokens from this address; try again in ${wait} s`;
    const headers = { 'retry-after': String(wait), connection: 'close' };
    sendProblem(res, 429, detail, { rule: 'wrong-tokens' }, headers);
    return true;
  };
  const refuse = (
    req: IncomingMessage,
    res: ServerResponse,
    token: string | undefined,
    detail: string,
  ): void => {
    // Whoever has a right token is never kept waiting for those who have a wrong one.
    if (token !== undefined && throttled(req, res)) return;
    const error = token === undefined ? undefined : ({ error: 'invalid_token' } as const);
    const headers = { 'www-authenticate': challenge(address.originOf(req), req.url, issuers(), error) };
    sendProblem(res, 401, detail, {}, headers);
  };
  const admitted = (
    req: IncomingMessage,
    res: ServerResponse,
    found: Principal | LackingScopes | undefined,
    token: string,
  ): Principal | undefined => {
    if (found === undefined) {
      refuse(req, res, token, WRONG_TOKEN);
      return undefined;
    }
    if (found instanceof LackingScopes) {
      lacking(req, res, found);
      return undefined;
    }
    return follow(res, found);
  };
  /** RFC 6750, section 3.1: the client gets a token with these scopes and comes again. */
  const lacking = (req: IncomingMessage, res: ServerResponse, { required }: LackingScopes): void => {
    const error = { error: 'insufficient_scope', scopes: required } as const;
    const headers = { 'www-authenticate': challenge(address.originOf(req), req.url, issuers(), error) };
    const detail = `the token lacks a scope; it needs ${required.join(' ')}`;
    sendProblem(res, 403, detail, { rule: 'required-scopes' }, headers);
  };
  /** What is still being answered ends with the principal. */
  const follow = (res: ServerResponse, principal: Principal): Principal => {
    if (!answering.has(res)) res.once('close', () => answering.delete(res));
    answering.set(res, principal);
    return principal;
  };
  const ofPage = (
    req: IncomingMessage,
    res: ServerResponse,
    caller: Exclude<PageCaller, undefined>,
  ): Principal | undefined => {
    if (typeof caller === 'object') return follow(res, caller);
    if (caller === 'page-key') refusePage(res);
    else refuse(req, res, undefined, 'your sign-in has ended; sign in again');
    return undefined;
  };
  const verify: Perimeter['verify'] = (req, res, token) => {
    const found = identity.authenticate(token) ?? identity.authenticateExternal(token);
    if (!(found instanceof Promise)) return admitted(req, res, found, token);
    return found.then((principal) => admitted(req, res, principal, token));
  };
  return {
    admit: (req, res) => {
      const { host, origin } = req.headers;
      if (hostsIn(req.rawHeaders) > 1) {
        sendProblem(res, 400, 'send one Host header', { rule: 'host' });
        return false;
      }
      if (host === undefined || !address.hosts().includes(host)) {
        const detail = `this gateway is not served as "${host ?? ''}"; use ${address.base()} (listen.hosts adds names)`;
        sendProblem(res, 403, detail, {
          rule: 'host',
        });
        return false;
      }
      const own = origin === undefined || address.origins().includes(origin);
      if (!own && !(origin === EDITOR && req.url?.startsWith('/v0.1/'))) {
        sendProblem(res, 403, 'requests of other web origins are refused', { rule: 'origin' });
        return false;
      }
      return true;
    },
    identify: (req, res) => {
      if (TOKEN_IN_ADDRESS.test(req.url ?? '')) {
        const detail =
          'a token in an address ends up in logs, so it is not taken there: send it in a header, and rotate this one';
        sendProblem(res, 400, detail, { rule: 'token-in-address' });
        return undefined;
      }
      const [token, ...others] = new Set(credentials(req));
      if (others.length > 0) {
        refuse(req, res, token, SEVERAL_TOKENS);
        return undefined;
      }
      if (token !== undefined) return verify(req, res, token);
      const caller = deps.pageCaller(req);
      if (caller !== undefined) return ofPage(req, res, caller);
      refuse(req, res, undefined, NO_TOKEN);
      return undefined;
    },
    verify,
    refuse: (req, res, detail) => refuse(req, res, '', detail),
    close: () => clearInterval(sweep),
  };
}

/** Node takes the first of several; a program in between could take another. */
function hostsIn(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === 'host') count++;
  return count;
}

const TOKEN_IN_ADDRESS = /tg_[pv]at_/;

const SEVERAL_TOKENS = 'the request has several tokens that differ; send one, in one header';
const NO_TOKEN = 'send a gateway token: Authorization: Bearer tg_pat_… (toolgate token create makes one)';
const WRONG_TOKEN = 'the token is unknown, expired or revoked; make a new one with toolgate token create';

/** Tokens in the spellings of the clients there are: OpenAI's and MCP's, Anthropic's, Azure's. */
function credentials({ headers }: IncomingMessage): string[] {
  const { authorization } = headers;
  const bearer =
    authorization !== undefined && /^bearer /i.test(authorization) ? [authorization.slice(7).trim()] : [];
  const keys = [headers['x-api-key'], headers['api-key']].flatMap((value) => value ?? []);
  return [...bearer, ...keys.map((key) => key.trim())];
}
