import { createInterface } from 'node:readline';

/**
 * A server over standard input and output that says what its callers ask it to say, wherever MCP leaves room for words,
 * and tells in hexadecimal what reached it, so that no guardrail of results sees it. It speaks the era that it is given:
 *
 *     node test/support/loose-server.ts legacy|modern
 */
const modern = process.argv[2] === 'modern';
const capabilities = { tools: {}, prompts: {}, completions: {}, resources: { subscribe: true } };
const serverInfo = { name: 'loose', version: '1' };
const properties = { say: { type: 'string' }, chars: { type: 'integer' } };
const inputSchema = { type: 'object', properties, additionalProperties: false };
const tools = ['asks', 'fails', 'announces', 'elicits', 'tells', 'prints'].map((name) => ({
  name,
  inputSchema,
}));

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

const send = (message: object): void => console.log(JSON.stringify({ jsonrpc: '2.0', ...message }));
const hex = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('hex');
const text = (words: string): object => ({ content: [{ type: 'text', text: words }] });
/** What waits for the answer of the caller's client. */
const asked = new Map<unknown, (answer: object) => void>();

/** The result of a tool; undefined where it comes later or is an error, and is sent here. */
function call(id: Message['id'], name: unknown, args: { say?: string; chars?: number }): object | undefined {
  const { say = '', chars = 0 } = args;
  switch (name) {
    case 'asks':
      return { resultType: 'input_required', inputRequests: { one: { method: say, params: {} } } };
    case 'fails':
      send({ id, error: { code: -32050, message: say, data: 'x'.repeat(chars) } });
      return undefined;
    case 'announces':
      send({ method: 'notifications/resources/updated', params: { uri: `db://${say}`, title: say } });
      return text('announced');
    case 'elicits': {
      const requestedSchema = { type: 'object', properties: {} };
      asked.set(`ask-${id}`, (answer) => send({ id, result: text(hex(answer)) }));
      send({ id: `ask-${id}`, method: 'elicitation/create', params: { message: 'Who?', requestedSchema } });
      return undefined;
    }
    case 'prints':
      return text('word '.repeat(chars));
    default:
      return text(hex(args));
  }
}

function answer({ id, method, params = {} }: Message): object | undefined {
  switch (method) {
    case 'initialize':
      return { protocolVersion: '2025-11-25', capabilities, serverInfo };
    case 'server/discover':
      return {
        supportedVersions: ['2026-07-28'],
        capabilities,
        _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
      };
    case 'tools/list':
      return { tools };
    case 'prompts/list':
      return { prompts: [{ name: 'report' }] };
    case 'resources/list':
      return { resources: [{ uri: 'db://swordfish', name: 'listed' }] };
    case 'resources/templates/list':
      return { resourceTemplates: [{ uriTemplate: 'db://{name}', name: 'row' }] };
    case 'resources/read':
      return { contents: [{ uri: 'db://row', text: hex(params) }] };
    case 'completion/complete':
      return { completion: { values: [hex(params)] } };
    case 'tools/call':
      return call(id, params['name'], params['arguments'] ?? {});
    default:
      return {};
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const message = JSON.parse(line) as Message;
  if (message.method === undefined) {
    asked.get(message.id)?.(message);
    asked.delete(message.id);
    return;
  }
  if (message.id === undefined) return;
  const unknown = modern ? message.method === 'initialize' : message.method === 'server/discover';
  if (unknown) return send({ id: message.id, error: { code: -32601, message: 'unknown' } });
  const result = answer(message);
  if (result !== undefined)
    send({
      id: message.id,
      result: modern ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private', ...result } : result,
    });
});
