import { afterAll, beforeAll, expect, it } from 'vitest';
import { ISSUERS_PATH, SIGN_IN_PATH } from '../../gateway/contract/sign-in.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { startOpenIdProvider, type OpenIdProvider } from '../support/openid-provider.ts';
import { sendRaw, statuses } from '../support/raw-http.ts';

/** A gateway whose TLS ends in front of it: what comes by its public name came over TLS. */
const PUBLIC = 'tools.test';
const KEY = 'k'.repeat(43);
let gateway: RunningGateway;
let provider: OpenIdProvider;
let local: string;

beforeAll(async () => {
  provider = await startOpenIdProvider({});
  gateway = await startGateway({
    config: `version: 1
listen: { tls: terminated-upstream, publicUrl: "https://${PUBLIC}" }
subjects: { oidc: [{ issuer: "${provider.issuer}", audience: x, console: { name: corp, clientId: c }, allowPrivateAddress: true }] }
`,
  });
  local = /"host":"on: ([^,"]+)/.exec(gateway.output())?.[1] ?? '';
});
afterAll(async () => {
  await gateway.stop();
  await provider.close();
});

function ask(host: string, method: string, path: string, body = '', cookie = ''): Promise<string> {
  const headers = [
    `host: ${host}`,
    `x-toolgate-page-key: ${KEY}`,
    `content-length: ${body.length}`,
    'connection: close',
    ...(cookie === '' ? [] : [`cookie: ${cookie}`]),
  ];
  return sendRaw(`http://${local}`, `${method} ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}
const cookieIn = (answer: string): string => /^set-cookie: (.*)$/im.exec(answer)?.[1]?.trim() ?? '';

it('over TLS the cookie is bound to the host, goes over TLS alone, and no other is taken for it', async () => {
  expect(gateway.output()).toContain(`https://${PUBLIC}/#code=`);
  const port = new URL(`http://${local}`).port;
  const body = JSON.stringify({ token: gateway.token });
  const secure = cookieIn(await ask(PUBLIC, 'POST', SIGN_IN_PATH, body));
  expect(secure).toMatch(
    new RegExp(
      `^__Host-toolgate-${port}-sign-in=[\\w-]+; Path=/; Max-Age=\\d+; HttpOnly; SameSite=Strict; Secure$`,
    ),
  );
  const [pair = ''] = secure.split(';');
  const registry = async (host: string, cookie: string): Promise<number | undefined> =>
    statuses(await ask(host, 'GET', '/api/v1/registry', '', cookie))[0];
  expect(await registry(PUBLIC, pair)).toBe(200);
  // One without the prefix could have been set without TLS, or by a neighbour of the host.
  expect(await registry(PUBLIC, pair.replace('__Host-', ''))).toBe(401);
  expect(await registry(local, pair)).toBe(401);
  const plain = cookieIn(await ask(local, 'POST', SIGN_IN_PATH, body));
  expect(plain).not.toMatch(/Secure|__Host-/);
});

it('a provider sends the browser back to the public address, and its cookie comes along', async () => {
  const answer = await ask(PUBLIC, 'POST', `${ISSUERS_PATH}/corp`, '{}');
  expect(cookieIn(answer)).toMatch(/^__Host-toolgate-\d+-begun=.*; SameSite=Lax; Secure$/);
  expect(decodeURIComponent(answer)).toContain(`redirect_uri=https://${PUBLIC}/sign-in/callback/corp&`);
});
