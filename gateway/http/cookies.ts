import type { IncomingMessage, ServerResponse } from 'node:http';
import type { OwnAddress } from './own-address.ts';

/** One cookie of the gateway's own, for this browser and this origin's name. */
export interface Cookie {
  read(req: IncomingMessage): string | undefined;
  /** `maxAge` in ms. */
  set(req: IncomingMessage, res: ServerResponse, value: string, maxAge: number): void;
  clear(req: IncomingMessage, res: ServerResponse): void;
}

/**
 * Cookies (RFC 6265bis) are shared by all ports of a host, so the name has the port: gateways beside each other do not
 * take each other's. Where the request came over TLS it is `__Host-` and `Secure`, and no other is read.
 */
export function createCookie(
  purpose: string,
  /** `Lax` where it must come along from another site's page by a link or redirect. */
  sameSite: 'Strict' | 'Lax',
  address: Pick<OwnAddress, 'originOf'>,
  port: () => number,
): Cookie {
  const isSecure = (req: IncomingMessage): boolean => address.originOf(req).startsWith('https:');
  const nameFor = (req: IncomingMessage): string =>
    `${isSecure(req) ? '__Host-' : ''}toolgate-${port()}-${purpose}`;
  const write = (req: IncomingMessage, res: ServerResponse, value: string, maxAge: number): void => {
    const secure = isSecure(req) ? '; Secure' : '';
    const seconds = Math.floor(maxAge / 1_000);
    const text = `${nameFor(req)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=${sameSite}${secure}`;
    res.appendHeader('set-cookie', text);
  };
  return {
    read: (req) => {
      const start = `${nameFor(req)}=`;
      const found = req.headers.cookie?.split(/; */).filter((pair) => pair.startsWith(start)) ?? [];
      // Several would be somebody's attempt to have theirs taken for ours.
      return found.length === 1 ? found[0]?.slice(start.length) : undefined;
    },
    set: write,
    clear: (req, res) => write(req, res, '', 0),
  };
}
