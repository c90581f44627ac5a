import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What a server does wrong: `hang` never answers; `die` ends when it is called; `flood` fills its standard error;
 * `huge` answers a call with 200 MB; `broken` prints what is no JSON; `cycle` repeats a cursor for ever; `endless`
 * has ever another page; `silent` lists its tools and answers no call.
 */
export type Fault = 'hang' | 'die' | 'flood' | 'huge' | 'broken' | 'cycle' | 'endless' | 'silent';

/** Writes a stdio server that speaks JSON-RPC by hand, since no library would do what it does. */
export async function faultyServer(): Promise<(fault: Fault, more?: string) => string> {
  const file = join(await mkdtemp(join(tmpdir(), 'toolgate-faulty-')), 'server.mjs');
  await writeFile(
    file,
    `import { createInterface } from 'node:readline';
const fault = process.argv[2];
const say = (message) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
const MB = 'x'.repeat(1024 * 1024);
const pour = async (stream, megabytes, end) => {
  for (let at = 0; at < megabytes; at++)
    if (!stream.write(MB + end)) await new Promise((done) => stream.once('drain', done));
};
const tool = (name) => ({ name, inputSchema: { type: 'object' } });
let page = 0;
const answers = {
  initialize: () => ({ protocolVersion: '2025-11-25', serverInfo: { name: fault, version: '1' }, capabilities: { tools: {} } }),
  'tools/list': () => {
    if (fault === 'cycle') return { tools: [tool('go')], nextCursor: 'again' };
    if (fault === 'endless') return { tools: [tool('go' + page)], nextCursor: String(++page) };
    return { tools: [tool('go')] };
  },
  'tools/call': async () => {
    if (fault === 'die') process.exit(9);
    if (fault === 'silent') return undefined;
    if (fault === 'flood') await pour(process.stderr, 100, '\\n');
    if (fault === 'huge') {
      process.stdout.write('{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"');
      await pour(process.stdout, 200, '');
    }
    if (fault === 'broken') process.stdout.write('Welcome!\\n{"jsonrpc":"2.0",\\n[1,2\\n\\u0000\\n');
    return { content: [{ type: 'text', text: 'done' }] };
  },
};
createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined || fault === 'hang') return;
  const result = await answers[method]?.();
  if (result !== undefined) say({ id, result });
  else if (answers[method] === undefined) say({ id, error: { code: -32601, message: 'method not found' } });
});
`,
  );
  return (fault, more = '') => `{ name: ${fault}, command: node, args: ["${file}", ${fault}]${more} }`;
}
