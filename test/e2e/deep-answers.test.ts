import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { deepAnswer } from '../support/deep-server.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { ask } from '../support/modern.ts';
import { createPeople, type People } from '../support/people.ts';

/** Servers whose answers nest so deep that whatever walks them would run out of stack. */
const PROGRAM = join(import.meta.dirname, '../support/deep-server.ts');
let gateway: RunningGateway;
let people: People;
const http = createServer((req, res) => {
  let text = '';
  req.on('data', (chunk) => (text += String(chunk)));
  req.on('end', () => {
    const message = (text === '' ? {} : JSON.parse(text)) as { id?: number };
    if (message.id === undefined) res.writeHead(req.method === 'POST' ? 202 : 405).end();
    else res.setHeader('content-type', 'application/json').end(deepAnswer(message));
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  gateway = await startGateway({
    config: `version: 1
groups:
  - name: g
    pins: trust
    servers:
      - { name: http, url: "http://127.0.0.1:${port}/mcp", allowPrivateAddress: true, timeouts: { call: 3s } }
      - { name: stdio, command: node, args: ["${PROGRAM}"], timeouts: { call: 3s } }
`,
  });
  people = await createPeople(gateway, []);
});
afterAll(async () => {
  await gateway.stop();
  http.close();
  http.closeAllConnections();
});

it.each(['http', 'stdio'])('are refused in words over %s, and the gateway goes on', async (name) => {
  const call = (tool: string): Promise<{ status: number; body: Record<string, unknown> }> =>
    people.api('owner', 'POST', '/calls', { server: `g:${name}`, tool, arguments: {} });
  await expect.poll(async () => (await call('flat')).status).toBe(200);
  const refused = await call('deep');
  expect(refused.status).toBe(502);
  expect(refused.body['detail']).toMatch(/nests deeper than 128 levels/);
  const result = await ask(gateway, `/mcp/g/${name}`, 'tools/call', { name: 'deep', arguments: {} });
  expect(JSON.stringify(result)).toMatch(/nests deeper than 128 levels/);
  expect((await call('flat')).status).toBe(200);
});
