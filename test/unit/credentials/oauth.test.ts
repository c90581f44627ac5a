import { describe, expect, it } from 'vitest';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatIssue, parseConfig } from '../../../gateway/config/load.ts';
import { createOauthFetch } from '../../../gateway/credentials/oauth/wire.ts';
import { challengeIn } from '../../../gateway/upstream/authorized.ts';
import { createDispatchers } from '../../../gateway/upstream/dispatcher.ts';

describe('a challenge', () => {
  it.each([
    [
      'Bearer resource_metadata="https://a.test/x", scope="a b"',
      { resourceMetadata: 'https://a.test/x', scope: 'a b' },
    ],
    [
      'Basic realm="x", Bearer error="insufficient_scope", scope=a',
      { error: 'insufficient_scope', scope: 'a' },
    ],
    ['bearer error_description="say \\"no\\", scope=evil", error=invalid_token', { error: 'invalid_token' }],
    ['Bearer', {}],
  ])('is read from %s', (text, read) => {
    expect(challengeIn({ 'www-authenticate': text })).toEqual({
      error: undefined,
      scope: undefined,
      resourceMetadata: undefined,
      ...read,
    });
  });

  it('is none where there is no Bearer', () => {
    expect(challengeIn({ 'www-authenticate': 'Basic realm="x"' })).toBeUndefined();
    expect(challengeIn({})).toBeUndefined();
  });
});

describe('what asks authorization servers', () => {
  it('reaches no private address without consent, and none without TLS but on this machine', async () => {
    const http = createServer((_req, res) => res.end('{}'));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`;
    const dispatchers = createDispatchers();
    const fetchFor = createOauthFetch(dispatchers);
    const asked = { method: 'GET', headers: {} };
    await expect(fetchFor(false)(url, asked)).rejects.toThrow('not a public address');
    expect((await fetchFor(true)(url, asked)).status).toBe(200);
    await expect(fetchFor(true)('http://login.test/', asked)).rejects.toThrow('not an https address');
    await dispatchers.close();
    http.close();
  });

  it('takes no endless answer and follows no redirect', async () => {
    const http = createServer((req, res) => {
      if (req.url === '/away') res.writeHead(302, { location: '/long' }).end();
      else res.end('x'.repeat(300_000));
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const dispatchers = createDispatchers();
    const fetch = createOauthFetch(dispatchers)(true);
    const asked = { method: 'GET', headers: {} };
    await expect(fetch(`${origin}/long`, asked)).rejects.toThrow('over 262144 bytes');
    expect((await fetch(`${origin}/away`, asked)).status).toBe(302);
    await dispatchers.close();
    http.close();
  });
});

describe('the configuration of a sign-in', () => {
  const problems = (auth: string, url = 'https://a.test/mcp'): string[] => {
    const text = `version: 1\ngroups: [{ name: g, servers: [{ name: s, url: "${url}", auth: ${auth} }] }]\n`;
    const parsed = parseConfig(text);
    return parsed.ok ? [] : parsed.issues.map((issue) => formatIssue('toolgate.yaml', issue));
  };

  it.each([
    ['{ type: oauth2 }'],
    ['{ type: oauth2, clientId: x }'],
    ['{ type: oauth2, clientId: x, clientSecret: "${secret:x}", issuer: "https://b.test" }'],
    ['{ type: oauth2, clientId: x, authorizationUrl: "https://b.test/a", tokenUrl: "https://b.test/t" }'],
    [
      '{ type: oauth2, grant: client-credentials, clientId: x, clientSecret: "${secret:x}", issuer: "https://b.test" }',
    ],
  ])('takes %s', (auth) => expect(problems(auth)).toEqual([]));

  it.each([
    ['{ type: oauth2, clientId: x, clientSecret: y }', /issuer: name the authorization server/],
    ['{ type: oauth2, clientSecret: y, issuer: "https://b.test" }', /clientId: a clientSecret needs/],
    ['{ type: oauth2, issuer: "http://b.test" }', /issuer: must be an https address/],
    ['{ type: oauth2, grant: client-credentials }', /clientId: client-credentials need/],
    ['{ type: oauth2, tokenUrl: "https://b.test/t", clientId: x }', /authorizationUrl: tokenUrl needs/],
    ['{ type: oauth2, scopes: ["a b"] }', /scopes.*is no scope/],
  ])('refuses %s', (auth, words) => expect(problems(auth).join('\n')).toMatch(words));

  it('wants TLS, since tokens go there', () => {
    expect(problems('{ type: oauth2 }', 'http://a.test/mcp').join()).toMatch(
      /url: oauth2 needs an https address/,
    );
    expect(problems('{ type: oauth2 }', 'http://127.0.0.1:1/mcp')).toEqual([]);
  });
});
