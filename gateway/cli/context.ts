import { contextResponseSchema } from '../contract/context.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';

/** `toolgate context`: what each address of a running gateway costs a model's context. */
export async function context(options: ClientOptions & { readonly json?: boolean }): Promise<void> {
  const cost = contextResponseSchema.parse(await ask(options, '/api/v1/context'));
  if (options.json === true) {
    printJson(cost);
    return;
  }
  const rows = cost.addresses.map(({ path, tools, tokens }) => [path, String(tools), String(tokens)]);
  const { tools, tokens } = cost.discovery;
  rows.push(['/mcp/_discover…', String(tools), String(tokens)]);
  process.stdout.write(table(['address', 'tools', 'tokens'], rows));
  process.stdout.write(
    `\nTokens of all tools' names, descriptions and input schemas (${cost.encoding}), which a client puts before every\n` +
      'request to its model. Through an address below /mcp/_discover an agent finds and describes tools as it needs them.\n',
  );
}
