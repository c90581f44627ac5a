import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity } from '../identity/identity.ts';
import type { Principal } from '../identity/principal.ts';
import { challenge } from './protected-resource.ts';
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
  close(): void;
}

/** How soon an answer under way ends when the token that asked for it holds no more. */
const SWEEP_MS = 2_000;

/** The desktop editor's own window, which reads registries: no web page can have this origin. */
const EDITOR = 'vscode-file://vscode-app';

export function createPerimeter(
  identity: Identity,
  address: OwnAddress,
  /** Whose tokens are taken beside the gateway's own. */
  issuers: () => readonly string[],
): Perimeter {
  const answering = new Map<ServerResponse, Principal>();
  let leaving: readonly ServerResponse[] = [];
  const sweep = setInterval(() => {
    // What can end in good order has until the next round.
    for (const res of leaving) if (answering.has(res)) res.destroy();
    leaving = [...answering].flatMap(([res, principal]) => (identity.holds(principal) ? [] : [res]));
  }, SWEEP_MS).unref();
  const failures = createFailures(() => performance.now());
  const refuse = (
    req: IncomingMessage,
    res: ServerResponse,
    token: string | undefined,
    others: readonly string[] = [],
  ): void => {
    // Whoever has a right token is never kept waiting for those who have a wrong one.
    const wait = token === undefined ? 0 : failures.add(req.socket.remoteAddress ?? '');
    if (wait > 0) {
      const detail = `too many wrong tokens from this address; try again in ${wait} s`;
      const headers = { 'retry-after': String(wait), connection: 'close' };
      sendProblem(res, 429, detail, { rule: 'wrong-tokens' }, headers);
      return;
    }
    const headers = {
      'www-authenticate': challenge(address.originOf(req), req.url, issuers(), token !== undefined),
    };
    sendProblem(res, 401, unauthenticated(token, others), {}, headers);
  };
  const admitted = (
    req: IncomingMessage,
    res: ServerResponse,
    principal: Principal | undefined,
    token: string,
  ): Principal | undefined => {
    if (principal === undefined) {
      refuse(req, res, token);
      return undefined;
    }
    if (!answering.has(res)) res.once('close', () => answering.delete(res));
    answering.set(res, principal);
    return principal;
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
      if (token === undefined || others.length > 0) {
        refuse(req, res, token, others);
        return undefined;
      }
      const found = identity.authenticate(token) ?? identity.authenticateExternal(token);
      if (!(found instanceof Promise)) return admitted(req, res, found, token);
      return found.then((principal) => admitted(req, res, principal, token));
    },
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

function unauthenticated(token: string | undefined, others: readonly string[]): string {
  if (others.length > 0) return 'the request has several tokens that differ; send one, in one header';
  return token === undefined
    ? 'send a gateway token: Authorization: Bearer tg_pat_… (toolgate token create makes one)'
    : 'the token is unknown, expired or revoked; make a new one with toolgate token create';
}

/** Tokens in the spellings of the clients there are: OpenAI's and MCP's, Anthropic's, Azure's. */
function credentials({ headers }: IncomingMessage): string[] {
  const { authorization } = headers;
  const bearer =
    authorization !== undefined && /^bearer /i.test(authorization) ? [authorization.slice(7).trim()] : [];
  const keys = [headers['x-api-key'], headers['api-key']].flatMap((value) => value ?? []);
  return [...bearer, ...keys.map((key) => key.trim())];
}
