import { copyFile, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { expect, it, onTestFinished } from 'vitest';
import { toolgate } from '../support/cli.ts';
import { startGateway } from '../support/gateway.ts';
import { sendRaw, statuses } from '../support/raw-http.ts';

const CERTIFICATES = join(import.meta.dirname, '..', 'support', 'certificates');

async function copied(): Promise<{ cert: string; key: string; use: (name: string) => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-tls-'));
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  const use = async (name: string): Promise<void> => {
    await copyFile(join(CERTIFICATES, `${name}.key`), key);
    await copyFile(join(CERTIFICATES, `${name}.crt`), cert);
  };
  await use('first');
  return { cert, key, use };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly certificate: string;
}

async function ask(
  url: string,
  headers: Record<string, string> = {},
  ca = ['first', 'second'],
): Promise<Answer> {
  const known = await Promise.all(ca.map((name) => readFile(join(CERTIFICATES, `${name}.crt`))));
  return new Promise((resolve, reject) => {
    const req = request(url, { ca: known, headers, agent: false, servername: 'localhost' }, (res) => {
      let text = '';
      const { socket } = res;
      const certificate = socket instanceof TLSSocket ? String(socket.getPeerCertificate().subject.CN) : '';
      res.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      res.once('end', () => resolve({ status: res.statusCode ?? 0, text, certificate }));
    });
    req.once('error', reject);
    req.end();
  });
}

it('speaks HTTPS with a certificate, and takes up a renewed one without a restart', async () => {
  const { cert, key, use } = await copied();
  const gateway = await startGateway({
    config: `version: 1
listen: { host: 127.0.0.1, tls: { cert: "${cert}", key: "${key}" }, publicUrl: "https://tools.test", origins: ["https://pages.test"] }
subjects: { oidc: [{ issuer: "https://login.test", audience: toolgate }] }
`,
  });
  onTestFinished(() => gateway.stop().then(() => undefined));
  expect(gateway.address).toBe('https://tools.test');
  const hosts = /"host":"on: ([^"]+)"/.exec(gateway.output())?.[1]?.split(', ') ?? [];
  const local = `https://${hosts[0] ?? ''}`;
  expect(hosts).toContain('tools.test');
  expect(await ask(`${local}/healthz`)).toMatchObject({ status: 200, certificate: 'first.test' });
  const metadata = await ask(`${local}/.well-known/oauth-protected-resource/mcp`, { host: 'tools.test' });
  expect(JSON.parse(metadata.text)).toMatchObject({ resource: 'https://tools.test/mcp' });
  const token = { authorization: `Bearer ${gateway.token}` };
  for (const [origin, status] of [
    ['https://tools.test', 200],
    ['https://pages.test', 200],
    ['http://tools.test', 403],
    ['https://evil.test', 403],
  ] as const)
    expect(await ask(`${local}/api/v1/registry`, { ...token, origin })).toMatchObject({ status });
  expect((await ask(`${local}/healthz`, { host: 'evil.test' })).status).toBe(403);
  expect(statuses(await sendRaw(local, 'GET /healthz HTTP/1.1\r\nhost: tools.test\r\n\r\n'))).not.toContain(
    200,
  );

  await writeFile(cert, 'no certificate');
  await expect.poll(() => gateway.output(), { timeout: 15_000 }).toContain('the one before stays in use');
  expect(await ask(`${local}/healthz`)).toMatchObject({ status: 200, certificate: 'first.test' });
  await use('second');
  await expect
    .poll(async () => (await ask(`${local}/healthz`)).certificate, { timeout: 15_000 })
    .toBe('second.test');
});

it('another address than this machine’s own needs TLS, or the word that it ends before', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-listen-'));
  const file = join(folder, 'toolgate.yaml');
  const start = async (listen: string): Promise<string> => {
    await writeFile(file, `version: 1\nlisten: ${listen}\n`);
    const { code, stderr } = await toolgate(['serve', '--config', file, '--port', '0']);
    expect(code).not.toBe(0);
    return stderr;
  };
  expect(await start('{ host: 0.0.0.0 }')).toContain('listening on 0.0.0.0 needs TLS');
  expect(await start('{ host: "::" }')).toContain('needs TLS');
  expect(await start('{ publicUrl: "https://tools.test" }')).toContain('say who ends TLS');
  expect(
    await start('{ host: 0.0.0.0, tls: terminated-upstream, publicUrl: "http://tools.test" }'),
  ).toContain('https://');
  expect(await start('{ host: "not a host", tls: terminated-upstream }')).toContain('listen.host');
  expect(await start('{ tls: { cert: gone.crt, key: gone.key } }')).toContain('listen.tls.cert');
});

it('behind a proxy that ends TLS: its name is taken, and told to clients', async () => {
  const gateway = await startGateway({
    config: `version: 1
listen: { host: 0.0.0.0, tls: terminated-upstream, publicUrl: "https://tools.test", hosts: [inside.test] }
subjects: { oidc: [{ issuer: "https://login.test", audience: toolgate }] }
`,
  });
  onTestFinished(() => gateway.stop().then(() => undefined));
  const hosts = /"host":"on: ([^"]+)"/.exec(gateway.output())?.[1]?.split(', ') ?? [];
  const local = `http://${hosts[0] ?? ''}`;
  const asked = (host: string, more = ''): Promise<string> =>
    sendRaw(local, `GET /mcp HTTP/1.1\r\nhost: ${host}\r\n${more}connection: close\r\n\r\n`);
  expect(await asked('tools.test')).toContain(
    'resource_metadata="https://tools.test/.well-known/oauth-protected-resource/mcp"',
  );
  expect(statuses(await asked('inside.test'))).toEqual([401]);
  expect(statuses(await asked('evil.test'))).toEqual([403]);
  expect(statuses(await asked('tools.test', 'origin: http://tools.test\r\n'))).toEqual([403]);
  expect(statuses(await asked('tools.test', 'origin: https://tools.test\r\n'))).toEqual([401]);
});
