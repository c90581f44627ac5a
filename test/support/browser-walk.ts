/** A browser without eyes: keeps cookies by host, follows links and redirects, and fills in forms. */
export interface Walker {
  /** Opens an address and follows redirects; where it ended, and what was there. */
  open(
    url: string,
    init?: RequestInit,
  ): Promise<{ readonly url: string; readonly status: number; readonly text: string }>;
}

/** `reach` says where a host that only exists for outsiders is really to be found. */
export function createWalker(reach: (url: URL) => URL = (url) => url): Walker {
  const cookies = new Map<string, Map<string, { value: string; path: string }>>();
  const jarOf = (host: string): Map<string, { value: string; path: string }> => {
    const jar = cookies.get(host) ?? new Map<string, { value: string; path: string }>();
    cookies.set(host, jar);
    return jar;
  };
  const walker: Walker = {
    open: async (address, init = {}) => {
      const url = new URL(address);
      const jar = jarOf(url.hostname);
      const cookie = [...jar].flatMap(([name, { value, path }]) =>
        url.pathname.startsWith(path) ? [`${name}=${value}`] : [],
      );
      const headers = {
        ...(init.headers as Record<string, string>),
        ...(cookie.length > 0 && { cookie: cookie.join('; ') }),
      };
      const response = await fetch(reach(url), { ...init, redirect: 'manual', headers });
      for (const line of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        jar.set(name, { value, path: /path=([^;]+)/i.exec(line)?.[1] ?? '/' });
      }
      const location = response.headers.get('location');
      if (location !== null) return walker.open(new URL(location, url).href);
      return { url: url.href, status: response.status, text: await response.text() };
    },
  };
  return walker;
}

/** Goes from a page of the gateway to the authorization server, signs in there by that name, and comes back. */
export async function signIn(
  walker: Walker,
  consentUrl: string,
  name: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const page = await walker.open(consentUrl);
  const onward = /href="([^"]+\/continue)"/.exec(page.text)?.[1];
  if (onward === undefined) return page;
  let at = await walker.open(new URL(onward, page.url).href, {
    headers: { 'sec-fetch-site': 'same-origin' },
  });
  for (let steps = 0; steps < 5 && at.text.includes('name="prompt"'); steps++) {
    const action = /action="([^"]+)"/.exec(at.text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const prompt = /name="prompt" value="(\w+)"/.exec(at.text)?.[1] ?? '';
    const fields = prompt === 'login' ? { prompt, login: name, password: 'any' } : { prompt };
    at = await walker.open(new URL(action, at.url).href, {
      method: 'POST',
      body: new URLSearchParams(fields),
    });
  }
  return at;
}
