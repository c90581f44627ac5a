import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIXTURE, startFixture, type RunningFixture } from '../conformance/fixture.ts';
import { configOf } from '../support/configs.ts';
import { ROOT, startGateway, type RunningGateway } from '../support/gateway.ts';
import { processesWith } from '../support/processes.ts';

const SERVER = join(ROOT, 'test/support/era-server.ts');
const MOODS = ['legacy', 'silent', 'exits', 'modern', 'slow'] as const;
const MARK = `eras-${process.pid}`;

let dir: string;
let fixture: RunningFixture;
let gateway: RunningGateway;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'toolgate-eras-'));
  fixture = await startFixture();
  const moody = async (name: string, mood: string): Promise<string> => {
    await writeFile(join(dir, `${name}.mood`), mood);
    const args = [SERVER, join(dir, `${name}.mood`), join(dir, `${name}.log`)];
    return `{ name: ${name}, command: node, args: ${JSON.stringify(args)}, env: { MARK: "${MARK}-${name}" }, timeouts: { connect: 30s } }`;
  };
  gateway = await startGateway({
    config: configOf({
      common: [
        ...(await Promise.all(MOODS.map((mood) => moody(mood, mood)))),
        await moody('changing', 'legacy'),
        `{ name: http, url: "${fixture.url}", allowPrivateAddress: true }`,
        `{ name: stdio, command: node, args: ["${FIXTURE}"] }`,
      ],
    }),
  });
});
afterAll(async () => {
  await gateway.stop();
  fixture.stop();
  await rm(dir, { recursive: true, force: true });
});

async function open(path: string): Promise<Client> {
  const client = new Client({ name: 'legacy-client', version: '1' });
  const headers = { authorization: `Bearer ${gateway.token}` };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(gateway.address + path), { requestInit: { headers } }),
  );
  return client;
}

async function say(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const { content } = await client.callTool({ name, arguments: args });
  return (content as { text: string }[])[0]?.text ?? '';
}

const log = async (name: string): Promise<string[]> =>
  (await readFile(join(dir, `${name}.log`), 'utf8')).trim().split('\n');

interface Shown {
  readonly name: string;
  readonly protocolVersion?: string;
  readonly listedAt?: string;
}

async function serverOf(name: string): Promise<Shown | undefined> {
  const response = await fetch(`${gateway.address}/api/v1/registry`, {
    headers: { authorization: `Bearer ${gateway.token}` },
  });
  const { groups } = (await response.json()) as { groups: { servers: Shown[] }[] };
  return groups.flatMap(({ servers }) => servers).find((server) => server.name === name);
}

describe('the era of a server over stdio', () => {
  it.each([
    ['legacy', 'answers that it does not know server/discover'],
    ['silent', 'keeps silent on it'],
    ['exits', 'ends at it'],
    ['modern', 'answers it'],
    ['slow', 'takes its time to start, and speaks both eras'],
  ])('%s is found out where it %s', async (mood) => {
    const client = await open(`/mcp/common/${mood}`);
    await expect.poll(() => say(client, 'era'), { timeout: 20_000 }).toBe(mood);
    expect((await serverOf(mood))?.protocolVersion).toBe(
      mood === 'modern' || mood === 'slow' ? '2026-07-28' : '2025-11-25',
    );
    await client.close();
  });

  it('is not asked again of one that took it badly', async () => {
    const client = await open('/mcp/common/exits');
    await expect.poll(() => say(client, 'era'), { timeout: 20_000 }).toBe('exits');
    expect((await log('exits')).filter((line) => line.startsWith('start'))).toHaveLength(2);
    for (const pid of processesWith(`${MARK}-exits`)) process.kill(pid, 'SIGKILL');
    await expect
      .poll(async () => (await log('exits')).filter((line) => line === 'start:exits'), { timeout: 20_000 })
      .toHaveLength(3);
    await expect.poll(() => say(client, 'era'), { timeout: 20_000 }).toBe('exits');
    expect((await log('exits')).filter((line) => line === 'server/discover')).toHaveLength(1);
    await client.close();
  });

  it('is found out anew when the server starts again, both ways', async () => {
    const client = await open('/mcp/common/changing');
    await expect.poll(() => say(client, 'era'), { timeout: 20_000 }).toBe('legacy');
    for (const mood of ['modern', 'legacy']) {
      await writeFile(join(dir, 'changing.mood'), mood);
      for (const pid of processesWith(`${MARK}-changing`)) process.kill(pid, 'SIGKILL');
      await expect.poll(() => say(client, 'era'), { timeout: 20_000 }).toBe(mood);
    }
    await client.close();
  });
});

describe.each(['http', 'stdio'])('a modern server over %s', (server) => {
  const path = `/mcp/common/${server}`;

  it('is there whole for a client of the legacy era', async () => {
    const client = await open(path);
    expect((await serverOf(server))?.protocolVersion).toBe('2026-07-28');
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('test_simple_text');
    const progress: number[] = [];
    await client.callTool({ name: 'test_tool_with_progress' }, undefined, {
      onprogress: (one) => progress.push(one.progress),
    });
    expect(progress).toEqual([0, 50, 100]);
    const { messages } = await client.getPrompt({
      name: 'test_prompt_with_arguments',
      arguments: { arg1: 'a', arg2: 'b' },
    });
    expect(JSON.stringify(messages)).toContain("arg1='a'");
    const { contents } = await client.readResource({ uri: 'test://static-text' });
    expect(contents[0]).toMatchObject({ mimeType: 'text/plain' });
    const { completion } = await client.complete({
      ref: { type: 'ref/prompt', name: 'test_prompt_with_arguments' },
      argument: { name: 'arg1', value: 'par' },
    });
    expect(completion.values).toEqual(['paris', 'park', 'party']);
    await client.close();
  });

  it('is told that a call was cancelled', async () => {
    const client = await open(path);
    const cancel = new AbortController();
    const call = client.callTool({ name: 'test_slow', arguments: { mark: server } }, undefined, {
      signal: cancel.signal,
    });
    // A call that came back would show that the server has begun with the one before it.
    await say(client, 'test_simple_text');
    cancel.abort();
    await expect(call).rejects.toThrow();
    await expect.poll(() => say(client, 'test_cancelled'), { timeout: 10_000 }).toContain(server);
    await client.close();
  });

  it('is heard when it announces that its tools have changed', async () => {
    const client = await open('/mcp/common');
    const before = await listedAt(server);
    await say(client, `${server}__test_trigger_tool_change`);
    await expect.poll(() => listedAt(server), { timeout: 10_000 }).not.toBe(before);
    await client.close();
  });

  it('asks a client of the modern era in its own way', async () => {
    const client = new ModernClient(
      { name: 'modern-client', version: '1' },
      { capabilities: { elicitation: {} }, versionNegotiation: { mode: 'auto' } },
    );
    client.setRequestHandler('elicitation/create', () => ({
      action: 'accept' as const,
      content: { username: 'ada', email: 'ada@example.com' },
    }));
    const headers = { authorization: `Bearer ${gateway.token}` };
    await client.connect(new ModernTransport(new URL(gateway.address + path), { requestInit: { headers } }));
    expect(client.getProtocolEra()).toBe('modern');
    const result = await client.callTool({ name: 'test_elicitation', arguments: { message: 'Who?' } });
    expect(JSON.stringify(result.content)).toContain('ada@example.com');
    await client.close();
  });
});

async function listedAt(name: string): Promise<string> {
  return (await serverOf(name))?.listedAt ?? '';
}
