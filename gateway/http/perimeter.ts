import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Identity } from '../identity/identity.ts';
import type { Principal } from '../identity/principal.ts';
import { sendProblem } from './respond.ts';

/**
 * The outermost checks of every request. Host and Origin are compared exactly, always, so that a web page in the
 * user's browser reaches the gateway neither by DNS rebinding nor across origins.
 */
export interface Perimeter {
  /** False when the request was refused and answered. */
  admit(req: IncomingMessage, res: ServerResponse): boolean;
  /** The caller; undefined when the request was refused and answered 401. */
  identify(req: IncomingMessage, res: ServerResponse): Principal | undefined;
}

/** The desktop editor's own window, which reads registries: no web page can have this origin. */
const EDITOR = 'vscode-file://vscode-app';

export function createPerimeter(identity: Identity, port: () => number): Perimeter {
  // The port is known once the gateway listens, which is before the first request.
  let allowed: readonly string[] | undefined;
  return {
    admit: (req, res) => {
      const hosts = (allowed ??= ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port()}`));
      const { host, origin } = req.headers;
      if (host === undefined || !hosts.includes(host)) {
        sendProblem(res, 403, `this gateway is not served as "${host ?? ''}"; use ${hosts[0]}`, {
          rule: 'host',
        });
        return false;
      }
      const own = origin === undefined || hosts.some((name) => origin === `http://${name}`);
      if (!own && !(origin === EDITOR && req.url?.startsWith('/v0.1/'))) {
        sendProblem(res, 403, 'requests of other web origins are refused', { rule: 'origin' });
        return false;
      }
      return true;
    },
    identify: (req, res) => {
      const token = bearer(req);
      const principal = token === undefined ? undefined : identity.authenticate(token);
      if (principal) return principal;
      const detail =
        token === undefined
          ? 'send a gateway token: Authorization: Bearer tg_pat_… (toolgate token create makes one)'
          : 'the token is unknown, expired or revoked; make a new one with toolgate token create';
      sendProblem(res, 401, detail, {}, { 'www-authenticate': 'Bearer realm="toolgate"' });
      return undefined;
    },
  };
}

function bearer(req: IncomingMessage): string | undefined {
  const { authorization } = req.headers;
  return authorization !== undefined && /^bearer /i.test(authorization)
    ? authorization.slice(7).trim()
    : undefined;
}
