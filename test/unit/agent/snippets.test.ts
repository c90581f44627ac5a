import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AgentRequestBody } from '../../../gateway/contract/agent.ts';
import { snippet, SNIPPET_LANGUAGES, type SnippetLanguage } from '../../../gateway/contract/snippets.ts';

const TOKEN = 'tg_pat_for-this-test';
/** What breaks quoting: quotes of every kind, newlines, shell and template syntax, characters outside the BMP. */
const AWKWARD = `it's "quoted" \\ back\\nslash\n\ttab $HOME \`id\` \${x} !! %s 'EOF' é 日本 🚀 \u2028 </script>`;
const BODY: AgentRequestBody = {
  model: 'demo/planner',
  stream: true,
  iteration_limit: 5,
  temperature: 0.5,
  parallel_tool_calls: false,
  messages: [{ role: 'user', content: AWKWARD }],
  mcp_servers: [{ integration_fqn: 'toolgate:common:calculator-mcp', tools: [{ name: 'add' }] }],
};

interface Seen {
  path: string;
  authorization: string | undefined;
  body: unknown;
}

let server: Server;
let address: string;
let folder: string;
let seen: Seen[] = [];
let answer: { status: number; type: string; text: string };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'toolgate-snippets-'));
  server = createServer((req, res) => {
    let text = '';
    req.setEncoding('utf8');
    req.on('data', (part: string) => (text += part));
    req.on('end', () => {
      seen.push({ path: req.url ?? '', authorization: req.headers.authorization, body: JSON.parse(text) });
      res.writeHead(answer.status, { 'content-type': answer.type }).end(answer.text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

const delta = (delta: unknown): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`;
const STREAM = [
  ': keep-alive\n\n',
  'id: 1\nevent: run.created\ndata: {"choices":[],"toolgate":{"type":"run.created"}}\n\n',
  delta({ role: 'assistant', content: 'Adding é' }),
  delta({ tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'add', arguments: '' } }] }),
  delta({ tool_calls: [{ index: 0, function: { arguments: '{"a":2}' } }] }),
  delta({ role: 'tool', tool_call_id: 'c', content: 'five' }),
  delta({ content: 'It is 5.' }),
  'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
  'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',
  'data: [DONE]\n\n',
].join('');

describe.each(SNIPPET_LANGUAGES)('P115–P118: the %s snippet runs as pasted', (language) => {
  test('sends the body whole, with the token of the environment, and prints the stream', async () => {
    answer = { status: 200, type: 'text/event-stream; charset=utf-8', text: STREAM };
    const { code, stdout, stderr } = await run(language, BODY);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(seen).toEqual([
      { path: '/api/llm/agent/responses', authorization: `Bearer ${TOKEN}`, body: BODY },
    ]);
    if (language === 'curl') expect(stdout).toBe(STREAM);
    else expect(stdout).toBe('Adding é\n[call] add {"a":2}\n[result] five\nIt is 5.\n');
  });

  test('prints an answer that is not streamed', async () => {
    const completion = {
      choices: [{ index: 0, message: { role: 'assistant', content: 'It is 5.' }, finish_reason: 'stop' }],
    };
    answer = { status: 200, type: 'application/json', text: JSON.stringify(completion) };
    const { code, stdout } = await run(language, { ...BODY, stream: false });
    expect(code).toBe(0);
    expect(stdout).toContain('It is 5.');
  });

  test('fails with the words of a refusal, and of an error inside the stream', async () => {
    const error = {
      error: { message: 'There is no model "x".', type: 'invalid_request_error', code: null, param: null },
    };
    answer = { status: 404, type: 'application/json', text: JSON.stringify(error) };
    const refused = await run(language, BODY);
    expect(refused.code).not.toBe(0);
    expect(refused.stdout + refused.stderr).toContain('There is no model');
    answer = {
      status: 200,
      type: 'text/event-stream',
      text: `${delta({ content: 'half' })}data: ${JSON.stringify(error)}\n\n`,
    };
    const broken = await run(language, BODY);
    expect(broken.stdout + broken.stderr).toContain('There is no model');
    if (language !== 'curl') expect(broken.code).not.toBe(0);
  });
});

test('an address with a slash at its end, and a token placeholder that cannot break out of its comment', () => {
  for (const language of SNIPPET_LANGUAGES) {
    const text = snippet(language, {
      address: 'http://127.0.0.1:8665/',
      token: 'tg_pat_x\nrm -rf /',
      body: BODY,
    });
    expect(text).toContain('http://127.0.0.1:8665/api/llm/agent/responses');
    expect(text.split('\n')[0]).toContain('TOOLGATE_TOKEN=tg_pat_xrm-rf/');
  }
});

async function run(
  language: SnippetLanguage,
  body: AgentRequestBody,
): Promise<{ code: number; stdout: string; stderr: string }> {
  seen = [];
  const { program, file } = {
    python: { program: 'python3', file: 'snippet.py' },
    javascript: { program: process.execPath, file: 'snippet.js' },
    curl: { program: 'bash', file: 'snippet.sh' },
  }[language];
  const path = join(folder, file);
  await writeFile(path, snippet(language, { address, body }));
  const { PATH } = process.env;
  const env = { ...(PATH === undefined ? {} : { PATH }), TOOLGATE_TOKEN: TOKEN, PYTHONIOENCODING: 'utf-8' };
  return new Promise((resolve) => {
    execFile(program, [path], { env, timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    });
  });
}
