import { mkdtemp, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../../gateway/contract/json.ts';

/** What the server offers at its next listing. */
export interface Offering {
  /** A tool's definition by its name; each tool answers its own name. */
  readonly tools?: Readonly<Record<string, JsonObject>>;
  /** More tools, for clients that can be asked for samples. */
  readonly samplingTools?: Readonly<Record<string, JsonObject>>;
  readonly prompts?: Readonly<Record<string, JsonObject>>;
  /** By name; each is read as its own address. */
  readonly resources?: Readonly<Record<string, JsonObject>>;
  readonly templates?: Readonly<Record<string, JsonObject>>;
  /** Said at the next start. */
  readonly instructions?: string;
  /** The server does not answer `prompts/list`. */
  readonly promptsFail?: boolean;
}

export interface ChangingServer {
  /** As an entry of a group's `servers`; `more` are further keys of it. */
  entry(name: string, more?: string): string;
  set(offering: Offering): Promise<void>;
}

/**
 * A server of the SDK over stdio that lists, each time it is asked, what `offering.json` in its folder says: tools and
 * resources in pages of 500. A tool that is called with `changed` tells that the lists have changed.
 */
export async function changingServer(offering: Offering, given?: string): Promise<ChangingServer> {
  const folder = given ?? (await mkdtemp(join(tmpdir(), 'toolgate-changing-')));
  const program = join(folder, 'server.mjs');
  const sdk = (path: string): string =>
    JSON.stringify(import.meta.resolve(`@modelcontextprotocol/sdk/${path}`));
  await writeFile(
    program,
    `import { readFileSync } from 'node:fs';
import { Server } from ${sdk('server/index.js')};
import { StdioServerTransport } from ${sdk('server/stdio.js')};
import * as types from ${sdk('types.js')};
const read = () => JSON.parse(readFileSync(process.argv[2], 'utf8'));
const listed = (items) => Object.entries(items ?? {}).map(([name, more]) => ({ name, ...more }));
const paged = (key, items, cursor) => {
  const end = Number(cursor ?? 0) + 500;
  return { [key]: items.slice(end - 500, end), ...(end < items.length && { nextCursor: String(end) }) };
};
const { instructions } = read();
const server = new Server(
  { name: 'changing', version: '1' },
  { capabilities: { tools: { listChanged: true }, prompts: {}, resources: {}, completions: {} }, instructions },
);
server.setRequestHandler(types.ListToolsRequestSchema, ({ params }) => {
  const { tools, samplingTools } = read();
  const all = server.getClientCapabilities()?.sampling ? { ...tools, ...samplingTools } : tools;
  return paged('tools', listed(all).map((tool) => ({ inputSchema: { type: 'object' }, ...tool })), params?.cursor);
});
server.setRequestHandler(types.ListPromptsRequestSchema, () => {
  if (read().promptsFail) throw new Error('no prompts today');
  return { prompts: listed(read().prompts) };
});
server.setRequestHandler(types.ListResourcesRequestSchema, ({ params }) => paged('resources', listed(read().resources), params?.cursor));
server.setRequestHandler(types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: listed(read().templates) }));
server.setRequestHandler(types.ReadResourceRequestSchema, ({ params: { uri } }) => ({ contents: [{ uri, text: uri }] }));
server.setRequestHandler(types.CallToolRequestSchema, async ({ params }) => {
  if (params.arguments?.changed) await server.sendToolListChanged();
  return { content: [{ type: 'text', text: params.name }], structuredContent: {} };
});
server.setRequestHandler(types.GetPromptRequestSchema, ({ params }) => ({
  messages: [{ role: 'user', content: { type: 'text', text: params.name } }],
}));
server.setRequestHandler(types.CompleteRequestSchema, () => ({ completion: { values: ['completed'] } }));
await server.connect(new StdioServerTransport());
`,
  );
  const file = join(folder, 'offering.json');
  const set = async (next: Offering): Promise<void> => {
    // Replaced at once, since the server may be reading it.
    await writeFile(`${file}.new`, JSON.stringify(next));
    await rename(`${file}.new`, file);
  };
  await set(offering);
  return {
    set,
    entry: (name, more = '') => `{ name: ${name}, command: node, args: ["${program}", "${file}"]${more} }`,
  };
}
