import type { IncomingMessage, ServerResponse } from 'node:http';
import { PAGE_KEY, PAGE_KEY_HEADER } from '../contract/sign-in.ts';
import type { Principal } from '../identity/principal.ts';
import type { SignIns } from '../identity/sign-ins.ts';
import type { Cookie } from './cookies.ts';
import { sendProblem } from './respond.ts';

/** Who is asking, by the console's cookie: `ended` when that sign-in is over, `page-key` when the page is another. */
export type PageCaller = Principal | 'ended' | 'page-key' | undefined;

/** What the console's page may ask with its cookie: the control plane and the agent, and no MCP address. */
const FOR_PAGES = '/api/';

/** Reads a request's cookie where cookies are taken at all; undefined where there is none. */
export function createPageCaller(signIns: SignIns, cookie: Cookie): (req: IncomingMessage) => PageCaller {
  return (req) => {
    const id = req.url?.startsWith(FOR_PAGES) === true ? cookie.read(req) : undefined;
    if (id === undefined) return undefined;
    return signIns.find(id, isOwnPage(req) ? pageKeyOf(req) : undefined) ?? 'ended';
  };
}

export function pageKeyOf({ headers }: IncomingMessage): string | undefined {
  const key = headers[PAGE_KEY_HEADER];
  return typeof key === 'string' && PAGE_KEY.test(key) ? key : undefined;
}

/** Browsers say where a request comes from (Fetch Metadata); from another site it is never the console's. */
export function isOwnPage({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin';
}

/** What a browser sends by itself is not enough. */
export function refusePage(res: ServerResponse): void {
  const detail = 'the request does not come from the page that signed in; open the console and sign in there';
  sendProblem(res, 403, detail, { rule: 'page-key' });
}
