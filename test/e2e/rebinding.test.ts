import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { createPeople } from '../support/people.ts';

/** A name whose address changes between two questions must not lead to this machine (DNS rebinding). */
const RESOLVER = pathToFileURL(join(import.meta.dirname, '../support/rebinding.mjs')).href;
let requests = 0;
let victim: Server;
let port: number;

beforeAll(async () => {
  victim = createServer((_req, res) => {
    requests++;
    res.end('{}');
  });
  await new Promise<void>((resolve) => victim.listen(0, '127.0.0.1', resolve));
  ({ port } = victim.address() as AddressInfo);
});
afterAll(() => {
  victim.close();
  victim.closeAllConnections();
});

async function gatewayWith(consent: boolean): Promise<RunningGateway> {
  const gateway = await startGateway({
    config: `version: 1
groups: [{ name: g, servers: [{ name: s, url: "http://rebind.test:${port}/mcp"${consent ? ', allowPrivateAddress: true' : ''}, timeouts: { connect: 2s } }] }]
`,
    // Nothing answers there (RFC 5737), so that the name is asked for again.
    env: { NODE_OPTIONS: `--import ${RESOLVER}`, REBIND_FIRST: '192.0.2.1' },
  });
  onTestFinished(() => gateway.stop().then(() => undefined));
  return gateway;
}

async function refresh(gateway: RunningGateway): Promise<string> {
  const { api } = await createPeople(gateway, []);
  await api('owner', 'POST', '/registry/refresh');
  return JSON.stringify((await api('owner', 'GET', '/registry')).body);
}

it('is refused when it is dialled, however often it is asked for', async () => {
  const gateway = await gatewayWith(false);
  await expect
    .poll(() => refresh(gateway), { timeout: 15_000 })
    .toContain('127.0.0.1, which is not a public address');
  await refresh(gateway);
  expect(requests).toBe(0);
});

it('reaches it where that was consented to: the name does lead here', async () => {
  const gateway = await gatewayWith(true);
  await expect.poll(() => refresh(gateway).then(() => requests), { timeout: 15_000 }).toBeGreaterThan(0);
});
