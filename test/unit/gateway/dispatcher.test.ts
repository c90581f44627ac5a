import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDispatchers } from '../../../gateway/upstream/dispatcher.ts';

const dispatchers = createDispatchers();
const servers: Server[] = [];
let port: number;
let arrived = 0;

beforeAll(async () => {
  const listen = (host: string, wanted: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const server = createServer((_req, res) => {
        arrived++;
        res.writeHead(302, { location: 'http://127.0.0.1/elsewhere' }).end('here');
      });
      servers.push(server);
      server.once('error', reject);
      server.listen(wanted, host, () => resolve((server.address() as AddressInfo).port));
    });
  port = await listen('127.0.0.1', 0);
  await listen('::1', port).catch(() => undefined);
});
afterAll(async () => {
  await dispatchers.close();
  for (const server of servers) server.close();
});

/** Asks as connections do: with the origin of a parsed address. */
async function ask(address: string, allowPrivateAddress: boolean): Promise<number> {
  const url = new URL(address.replace('PORT', String(port)));
  const { statusCode, body } = await dispatchers
    .for(allowPrivateAddress)
    .request({ origin: url.origin, path: url.pathname, method: 'GET', signal: AbortSignal.timeout(5_000) });
  await body.dump();
  return statusCode;
}

describe('without consent', () => {
  it.each([
    ['loopback', 'http://127.0.0.1:PORT/'],
    ['another loopback address', 'http://127.8.8.8:PORT/'],
    ['a decimal number', 'http://2130706433:PORT/'],
    ['a hexadecimal number', 'http://0x7f000001:PORT/'],
    ['an octal number', 'http://0177.0.0.1:PORT/'],
    ['a short form', 'http://127.1:PORT/'],
    ['full-width digits', 'http://１２７.0.0.1:PORT/'],
    ['nowhere, which Linux takes for loopback', 'http://0.0.0.0:PORT/'],
    ['IPv6 loopback', 'http://[::1]:PORT/'],
    ['IPv6 unspecified', 'http://[::]:PORT/'],
    ['IPv4-mapped IPv6', 'http://[::ffff:127.0.0.1]:PORT/'],
    ['IPv4-mapped IPv6 in hexadecimal', 'http://[::ffff:7f00:1]:PORT/'],
    ['IPv4-compatible IPv6', 'http://[::127.0.0.1]:PORT/'],
    ['a local translation prefix', 'http://[64:ff9b:1::7f00:1]:PORT/'],
    ['IPv4-translated IPv6', 'http://[64:ff9b::7f00:1]:PORT/'],
    ['6to4', 'http://[2002:7f00:1::]:PORT/'],
    ['a name that resolves to loopback', 'http://localhost:PORT/'],
    ['private, class A', 'http://10.0.0.1:PORT/'],
    ['private, class B', 'http://172.16.0.1:PORT/'],
    ['private, class C', 'http://192.168.1.1:PORT/'],
    ['a cloud’s platform, at a public address', 'http://168.63.129.16/'],
    ['link-local: a cloud’s metadata', 'http://169.254.169.254/latest/meta-data/'],
    ['IPv6 link-local', 'http://[fe80::1]:PORT/'],
    ['IPv6 site-local', 'http://[fec0::1]:PORT/'],
    ['IPv6 unique local: a cloud’s metadata', 'http://[fd00:ec2::254]:PORT/'],
    ['carrier-grade NAT', 'http://100.64.0.1:PORT/'],
    ['broadcast', 'http://255.255.255.255:PORT/'],
    ['multicast', 'http://224.0.0.1:PORT/'],
  ])('%s is refused before a packet is sent, with what to do', async (_what, address) => {
    const before = arrived;
    await expect(ask(address, false)).rejects.toThrow(
      /not a public address; allow it with allowPrivateAddress/,
    );
    expect(arrived).toBe(before);
  });
});

describe('with consent', () => {
  it.each(['http://127.0.0.1:PORT/', 'http://2130706433:PORT/', 'http://localhost:PORT/'])(
    '%s is reached',
    async (address) => {
      expect(await ask(address, true)).toBe(302);
    },
  );

  it('no redirect is followed', async () => {
    const before = arrived;
    expect(await ask('http://127.0.0.1:PORT/', true)).toBe(302);
    expect(arrived).toBe(before + 1);
  });
});

it('a connection made with consent is not shared with those without', async () => {
  expect(await ask('http://127.0.0.1:PORT/', true)).toBe(302);
  await expect(ask('http://127.0.0.1:PORT/', false)).rejects.toThrow('not a public address');
});
