import { createInterface } from 'node:readline';

/** How deep the answer of `deep` nests. */
const DEEP = 100_000;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly name?: string };
}

/** What a server of the legacy era answers whose tool `deep` nests its result, and whose tool `flat` does not. */
export function deepAnswer({ id, method = '', params }: Message): string {
  const serverInfo = { name: 'deep', version: '1' };
  const tools = ['deep', 'flat'].map((name) => ({ name, inputSchema: { type: 'object' } }));
  const structuredContent = params?.name === 'deep' ? 'DEEP' : {};
  const results: Record<string, object> = {
    initialize: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo },
    'tools/list': { tools },
    'tools/call': { content: [{ type: 'text', text: 'flat' }], structuredContent },
  };
  const result = results[method];
  const outcome = result === undefined ? { error: { code: -32601, message: 'unknown' } } : { result };
  const text = JSON.stringify({ jsonrpc: '2.0', id, ...outcome });
  return text.replace('"DEEP"', `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`);
}

/** As a program it is that server over stdio. */
if (import.meta.main)
  createInterface({ input: process.stdin }).on('line', (line) => {
    const message = JSON.parse(line) as Message;
    if (message.id !== undefined) console.log(deepAnswer(message));
  });
