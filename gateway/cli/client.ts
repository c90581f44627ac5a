import { request } from 'undici';
import { EXIT } from '../contract/ipc.ts';
import { isJsonObject } from '../contract/json.ts';
import { describeError } from '../upstream/errors.ts';
import { CliError } from './cli-error.ts';

/** Where a running gateway is, and the token to show it. */
export interface ClientOptions {
  readonly url: string;
  readonly token?: string;
}

/**
 * Asks a running gateway's control plane; resolves with the JSON of a 200. Rejects with a `CliError` that says what
 * the gateway refused, or that none answers.
 */
export async function ask(options: ClientOptions, path: string, body?: unknown): Promise<unknown> {
  const token = options.token ?? process.env['TOOLGATE_TOKEN'] ?? '';
  if (token === '') throw new CliError('give a token with --token or in TOOLGATE_TOKEN', EXIT.usage);
  const { statusCode, answer } = await exchange(options.url, path, token, body);
  if (statusCode === 200) return answer;
  throw new CliError(
    isJsonObject(answer) && typeof answer['detail'] === 'string' ? answer['detail'] : `HTTP ${statusCode}`,
  );
}

async function exchange(
  url: string,
  path: string,
  token: string,
  body: unknown,
): Promise<{ statusCode: number; answer: unknown }> {
  try {
    const response = await request(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { statusCode: response.statusCode, answer: await response.body.json() };
  } catch (error) {
    throw new CliError(
      `no gateway answers at ${url} (${describeError(error)}); start one with toolgate serve`,
    );
  }
}
