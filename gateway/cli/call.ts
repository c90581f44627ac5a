import { callResponseSchema } from '../contract/admin.ts';
import { EXIT } from '../contract/ipc.ts';
import { isJsonObject, parseJson, type JsonObject } from '../contract/json.ts';
import { CliError } from './cli-error.ts';
import { ask, type ClientOptions } from './client.ts';
import { printJson } from './print.ts';

export interface CallOptions extends ClientOptions {
  readonly json?: boolean;
}

/** `toolgate call SERVER TOOL [ARGUMENTS]`: one call through a running gateway. A tool's own error exits with 1. */
export async function call(
  server: string,
  tool: string,
  args: string | undefined,
  options: CallOptions,
): Promise<void> {
  const body = { server, tool, arguments: parseArguments(args ?? '{}') };
  const answer = await ask(options, '/api/v1/calls', body);
  const { result } = callResponseSchema.parse(answer);
  if (options.json === true) printJson(result);
  else process.stdout.write(`${contentText(result)}\n`);
  if (result.isError === true) process.exitCode = EXIT.failed;
}

function parseArguments(text: string): JsonObject {
  const value = parseJson(text);
  if (!isJsonObject(value))
    throw new CliError(`the arguments must be a JSON object, for instance '{"a": 2, "b": 3}'`, EXIT.usage);
  return value;
}

/** The text of a result; other content as JSON. */
function contentText(result: JsonObject): string {
  const content = Array.isArray(result['content']) ? result['content'] : [];
  return content
    .map((block: unknown) =>
      isJsonObject(block) && typeof block['text'] === 'string' ? block['text'] : JSON.stringify(block),
    )
    .join('\n');
}
