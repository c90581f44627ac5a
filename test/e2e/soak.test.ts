import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { expect, it } from 'vitest';
import type { RegistryView, ServerView } from '../../gateway/contract/registry.ts';
import { CALCULATOR, configOf, EVERYTHING } from '../support/configs.ts';
import { PROGRAM, ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { moodyServer } from '../support/moody-server.ts';
import { freePort } from '../support/ports.ts';
import { processesWith } from '../support/processes.ts';

const SECONDS = Number(process.env['SOAK_SECONDS'] ?? 20);
const MARK = `toolgate-soak-${Math.random().toString(36).slice(2)}`;
/** Descriptors that come and go with the connections of the test's own requests. */
const SLACK = 40;

/** Servers of every kind that leaves processes behind: plain, resting, wrapped by npx, by a shell, by ours. */
async function configuration(): Promise<string> {
  const env = `env: { MARK: ${MARK} }`;
  const everything = join(ROOT, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js');
  const [port, wrapPort] = [await freePort(), await freePort()];
  const moody = await moodyServer();
  return configOf({
    common: [
      moody.entry('plain', `, ${env}`),
      moody.entry('resting', `, ${env}, process: { start: on-demand, idleStop: 300ms }`),
      moody.entry('apart', `, ${env}, process: { isolation: session, idleStop: 500ms }`),
      EVERYTHING.replace('everything-mcp', 'asking').replace(/ \}$/, `, ${env} }`),
      `{ name: npx, command: npx, args: ["--no-install", mcp-server-everything, stdio], cwd: "${ROOT}", ${env}, timeouts: { connect: 30s } }`,
      `{ name: shell, command: sh, args: ["-c", "node ${everything} stdio; true"], ${env} }`,
      CALCULATOR(port, `, ${env}`).replace('calculator-mcp', 'listening'),
      `{ name: wrapped, command: node, args: ["${PROGRAM}", wrap, --port, "${wrapPort}", node, "${everything}", stdio], url: "http://127.0.0.1:${wrapPort}/mcp", allowPrivateAddress: true, ${env} }`,
    ],
  });
}

const CALLS: readonly (readonly [server: string, tool: string, args: object])[] = [
  ['plain', 'ping', {}],
  ['resting', 'ping', {}],
  ['apart', 'ping', {}],
  ['asking', 'echo', { message: 'm' }],
  ['npx', 'echo', { message: 'm' }],
  ['shell', 'echo', { message: 'm' }],
  ['listening', 'add', { a: 1, b: 2 }],
  ['wrapped', 'echo', { message: 'm' }],
];

it(
  `after ${SECONDS} s of starts, kills and restarts under calls no process is left and no handle is lost`,
  async () => {
    const gateway = await startGateway({ config: await configuration() });
    try {
      await expect.poll(() => working(gateway), { timeout: 60_000, interval: 500 }).toEqual([]);
      const before = descriptors(gateway.pid);
      const done = { calls: 0, answered: 0, kills: 0, sessions: 0 };
      const end = Date.now() + SECONDS * 1_000;
      const until = async (work: () => Promise<void>, pauseMs: number): Promise<void> => {
        while (Date.now() < end) {
          await work();
          await new Promise((resume) => setTimeout(resume, pauseMs));
        }
      };
      await Promise.all([
        ...CALLS.map(([server, tool, args]) =>
          until(async () => {
            done.calls++;
            const { status } = await call(gateway, server, tool, args);
            if (status === 200) done.answered++;
            else expect([502, 503, 504]).toContain(status);
          }, 20),
        ),
        until(async () => {
          done.kills += killOne(gateway.pid) ? 1 : 0;
        }, 400),
        until(async () => {
          await session(gateway);
          done.sessions++;
        }, 300),
        until(() => refresh(gateway), 2_000),
      ]);
      expect(done.kills).toBeGreaterThan(SECONDS / 2);
      expect(done.answered).toBeGreaterThan(done.calls / 10);
      expect(done.sessions).toBeGreaterThan(0);
      // All of them work again, those that gave up included, and then nothing is held that was not before.
      await expect.poll(() => working(gateway), { timeout: 90_000, interval: 500 }).toEqual([]);
      await expect
        .poll(() => descriptors(gateway.pid), { timeout: 30_000, interval: 500 })
        .toBeLessThanOrEqual(before + SLACK);
    } finally {
      expect(await gateway.stop()).toBe(0);
    }
    await expect.poll(() => processesWith(MARK), { timeout: 20_000 }).toEqual([]);
  },
  SECONDS * 1_000 + 240_000,
);

function call(gateway: RunningGateway, server: string, tool: string, args: object): Promise<Response> {
  return fetch(`${gateway.address}/api/v1/calls`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ server, tool, arguments: args }),
  }).then(async (answer) => {
    await answer.arrayBuffer();
    return answer;
  });
}

/** The servers that cannot be called now. */
async function working(gateway: RunningGateway): Promise<string[]> {
  const statuses = await Promise.all(
    CALLS.map(async ([server, tool, args]) => ({
      server,
      status: (await call(gateway, server, tool, args)).status,
    })),
  );
  return statuses.filter(({ status }) => status !== 200).map(({ server }) => server);
}

/** Kills one process of some server's tree, as a crash or an out-of-memory killer would. */
function killOne(gatewayPid: number): boolean {
  const pids = processesWith(MARK).filter((pid) => pid !== gatewayPid);
  const pid = pids[Math.floor(Math.random() * pids.length)];
  try {
    return pid !== undefined && process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** A client that can be asked, and so has a process to itself, comes, calls and goes. */
async function session(gateway: RunningGateway): Promise<void> {
  const client = new Client({ name: 'soak', version: '1' }, { capabilities: { sampling: {} } });
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    model: 'm',
    role: 'assistant',
    content: { type: 'text', text: 'sampled' },
  }));
  const transport = new StreamableHTTPClientTransport(new URL(`${gateway.address}/mcp/common/asking`), {
    requestInit: { headers: { authorization: `Bearer ${gateway.token}` } },
  });
  await client.connect(transport);
  // Its process may have been killed, which is an answer too.
  await client.callTool({ name: 'echo', arguments: { message: 'm' } }).catch(() => undefined);
  await transport.terminateSession();
  await client.close();
}

async function refresh(gateway: RunningGateway): Promise<void> {
  const headers = { authorization: `Bearer ${gateway.token}` };
  await (
    await fetch(`${gateway.address}/api/v1/registry/refresh`, { method: 'POST', headers })
  ).arrayBuffer();
  const answer = await fetch(`${gateway.address}/api/v1/registry`, { headers });
  const { groups } = (await answer.json()) as RegistryView;
  const views: ServerView[] = groups.flatMap(({ servers }) => servers);
  for (const view of views) expect(view.tools.length, view.name).toBeGreaterThan(0);
}

/** The descriptors that a process holds. */
function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
