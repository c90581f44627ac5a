import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A call as it reached a process of the server. */
export interface Reached {
  readonly pid: number;
  readonly tool: string;
}

export interface CrashingServer {
  /** As an entry of a group's `servers`. */
  entry(name: string): string;
  /** The process that gets the next call ends in the middle of it, with code 7, and is the only one that does. */
  arm(): Promise<void>;
  /** Calls that have reached any process since the last `arm`. */
  reached(): Promise<Reached[]>;
}

/** A server of the SDK over stdio with the tools `read`, which says that it only reads, and `write`. */
export async function crashingServer(): Promise<CrashingServer> {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-crashing-'));
  const file = join(folder, 'server.mjs');
  const [armed, log] = [join(folder, 'armed'), join(folder, 'log')];
  const sdk = (path: string): string =>
    JSON.stringify(import.meta.resolve(`@modelcontextprotocol/sdk/server/${path}`));
  await writeFile(
    file,
    `import { appendFileSync, existsSync, rmSync } from 'node:fs';
import { McpServer } from ${sdk('mcp.js')};
import { StdioServerTransport } from ${sdk('stdio.js')};
const [armed, log] = process.argv.slice(2);
const server = new McpServer({ name: 'crashing', version: '1' });
for (const tool of ['read', 'write'])
  server.registerTool(tool, { annotations: { readOnlyHint: tool === 'read' } }, () => {
    appendFileSync(log, JSON.stringify({ pid: process.pid, tool }) + '\\n');
    if (existsSync(armed)) {
      rmSync(armed);
      process.exit(7);
    }
    return { content: [{ type: 'text', text: tool + ' is done' }] };
  });
await server.connect(new StdioServerTransport());
`,
  );
  await writeFile(log, '');
  return {
    entry: (name) => `{ name: ${name}, command: node, args: ["${file}", "${armed}", "${log}"] }`,
    arm: async () => {
      await writeFile(log, '');
      await writeFile(armed, '');
    },
    reached: async () =>
      (await readFile(log, 'utf8'))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Reached),
  };
}
