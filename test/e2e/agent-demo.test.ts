import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentRequestBody } from '../../gateway/contract/agent.ts';
import { snippet, type SnippetLanguage } from '../../gateway/contract/snippets.ts';
import { createAgentClient, eventOf, gather, type AgentClient } from '../support/agent-client.ts';
import { CALCULATOR, configOf, EVERYTHING, FILESYSTEM, MEMORY } from '../support/configs.ts';
import { startGateway, type RunningGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';

let gateway: RunningGateway;
let folder: string;
let agent: AgentClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolgate-demo-'));
  await writeFile(join(folder, 'notes.txt'), 'Ada wrote this.');
  gateway = await startGateway({
    config: configOf({
      common: [CALCULATOR(await freePort()), EVERYTHING],
      'dev-mcps': [FILESYSTEM(folder), MEMORY(join(folder, 'memory.jsonl'))],
    }),
  });
  agent = createAgentClient(gateway.address, gateway.token);
});
afterAll(async () => {
  await gateway.stop();
  await rm(folder, { recursive: true });
});

function ask(content: string): AgentRequestBody {
  const names = [
    'common:calculator-mcp',
    'common:everything-mcp',
    'dev-mcps:filesystem-mcp',
    'dev-mcps:memory-mcp',
  ];
  return {
    model: 'demo/planner',
    stream: true,
    messages: [{ role: 'user', content }],
    mcp_servers: names.map((name) => ({ integration_fqn: `truefoundry:${name}` })),
  };
}

async function play(content: string): Promise<ReturnType<typeof gather> & { status: string }> {
  const events = await agent.all(ask(content));
  return { ...gather(events), status: eventOf(events, 'run.done').status };
}

describe('the demo planner on real servers', () => {
  test('P33: chains a second call from the first result', async () => {
    const { text, calls, status } = await play('(2 + 3) * 4');
    expect(calls.map((call) => [call.name, call.arguments])).toEqual([
      ['calculator-mcp__add', '{"a":2,"b":3}'],
      ['calculator-mcp__multiply', '{"a":5,"b":4}'],
    ]);
    expect(text).toContain('(2 + 3) * 4 = 20');
    expect(text).toContain('not an AI');
    expect(status).toBe('completed');
  });

  test('lists the folder it finds out about, and reads a file in it', async () => {
    const listed = await play('list the folder');
    expect(listed.calls.map((call) => call.name)).toEqual([
      'filesystem-mcp__list_allowed_directories',
      'filesystem-mcp__list_directory',
    ]);
    expect(listed.text).toContain('[FILE] notes.txt');
    expect((await play(`read the file ${join(folder, 'notes.txt')}`)).text).toContain('Ada wrote this.');
  });

  test('remembers, adds to what it knows, and recalls', async () => {
    expect((await play('remember that Ada likes tea')).text).toContain('Remembered: Ada likes tea');
    expect((await play('remember that Ada likes coffee')).calls.map((call) => call.name)).toEqual([
      'memory-mcp__create_entities',
      'memory-mcp__add_observations',
    ]);
    expect((await play('what do you remember?')).text).toContain('- Ada: Ada likes tea; Ada likes coffee');
    expect(await readFile(join(folder, 'memory.jsonl'), 'utf8')).toContain('Ada likes coffee');
  });

  test('several intents become parallel calls; a failing one is told of', async () => {
    const { text, calls, results } = await play('echo hello, divide 1 by 0 and read the file /nowhere/x.txt');
    expect(calls).toHaveLength(3);
    expect(results.filter((result) => result.isError)).toHaveLength(2);
    expect(text).toContain('Echo: hello');
    expect(text).toContain('divide failed: ');
    expect(text).toContain('read_text_file failed: ');
  });

  test('names what it was offered when no rule fits', async () => {
    const { text, calls } = await play('write me a poem');
    expect(calls).toEqual([]);
    expect(text).toContain('Tools I was offered: ');
  });
});

describe('P115–P118: the snippets', () => {
  test.each<[SnippetLanguage, string, string[]]>([
    ['python', 'python3', ['-c']],
    ['javascript', process.execPath, ['-e']],
    ['curl', 'bash', ['-c']],
  ])('%s runs against the gateway as pasted', async (language, program, args) => {
    const code = snippet(language, { address: gateway.address, body: ask('echo it\'s "fine"') });
    const { stdout } = await promisify(execFile)(program, [...args, code], {
      env: { PATH: process.env['PATH'] ?? '', TOOLGATE_TOKEN: gateway.token },
    });
    expect(stdout).toContain('Echo: ');
    expect(stdout).toContain('everything-mcp__echo');
  });
});
