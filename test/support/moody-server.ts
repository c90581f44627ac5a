import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../../gateway/contract/json.ts';

/** How a server behaves at its next start. */
export interface Mood {
  /** How long it takes to start. */
  readonly delayMs?: number;
  /** It ends at once, with this code. */
  readonly exitCode?: number;
  /** Its tools by name, each with its annotations; a tool answers its own name. */
  readonly tools?: Readonly<Record<string, JsonObject>>;
}

export interface MoodyServer {
  /** As an entry of a group's `servers`; `more` are further keys of it. */
  entry(name: string, more?: string): string;
  set(mood: Mood): Promise<void>;
}

/** A server of the SDK over stdio, whose next start is told by a file. */
export async function moodyServer(mood: Mood = {}): Promise<MoodyServer> {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-moody-'));
  const file = join(folder, 'server.mjs');
  const sdk = (path: string): string =>
    JSON.stringify(import.meta.resolve(`@modelcontextprotocol/sdk/server/${path}`));
  await writeFile(
    file,
    `import { readFileSync } from 'node:fs';
import { McpServer } from ${sdk('mcp.js')};
import { StdioServerTransport } from ${sdk('stdio.js')};
const { delayMs = 0, exitCode, tools = { ping: {} } } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
if (exitCode !== undefined) process.exit(exitCode);
await new Promise((done) => setTimeout(done, delayMs));
const server = new McpServer({ name: 'moody', version: '1' }, { instructions: 'Be patient.' });
for (const [name, annotations] of Object.entries(tools)) {
  server.registerTool(name, { description: 'Answers its name', annotations }, () => ({ content: [{ type: 'text', text: name }] }));
}
await server.connect(new StdioServerTransport());
`,
  );
  const set = (next: Mood): Promise<void> => writeFile(join(folder, 'mood.json'), JSON.stringify(next));
  await set(mood);
  return {
    set,
    entry: (name, more = '') =>
      `{ name: ${name}, command: node, args: ["${file}", "${join(folder, 'mood.json')}"]${more} }`,
  };
}
