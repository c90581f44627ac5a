import { randomBytes } from 'node:crypto';
import {
  LINKS_PATH,
  linkAnswerSchema,
  PAGE_KEY_HEADER,
  SIGN_IN_PATH,
} from '../../gateway/contract/sign-in.ts';
import type { RunningGateway } from './gateway.ts';

/** A one-time link to the console for the bearer of a token. */
export async function consoleLink({
  address,
  token,
}: Pick<RunningGateway, 'address' | 'token'>): Promise<string> {
  const response = await fetch(`${address}${LINKS_PATH}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
  });
  return linkAnswerSchema.parse(await response.json()).link;
}

export const codeOf = (link: string): string => new URL(link).hash.replace('#code=', '');

/** What a browser keeps of the gateway's cookies, and the key of a page in it. */
export class TestBrowser {
  readonly #address: string;
  readonly cookies = new Map<string, string>();
  readonly setCookies: string[] = [];
  pageKey: string | undefined = randomBytes(32).toString('base64url');

  constructor(address: string) {
    this.#address = address;
  }

  /** One request with this browser's cookies; redirects are not followed. */
  async fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    if (cookie !== '') headers.set('cookie', cookie);
    if (this.pageKey !== undefined) headers.set(PAGE_KEY_HEADER, this.pageKey);
    const url = new URL(path, this.#address);
    const response = await fetch(url, { ...init, headers, redirect: 'manual' });
    for (const text of response.headers.getSetCookie()) {
      this.setCookies.push(text);
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }

  post(path: string, body: unknown): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return this.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  signIn(how: { code: string } | { token: string }): Promise<Response> {
    return this.post(SIGN_IN_PATH, how);
  }

  /** Whom the gateway takes this browser for. */
  async subject(): Promise<string | undefined> {
    const state = (await (await this.fetch(SIGN_IN_PATH)).json()) as { signedIn: { subject: string } | null };
    return state.signedIn?.subject;
  }

  /** The status of a request for the registry. */
  async status(path = '/api/v1/registry'): Promise<number> {
    const response = await this.fetch(path);
    await response.body?.cancel();
    return response.status;
  }
}
