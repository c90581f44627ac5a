import { request } from 'undici';
import { EXIT } from '../contract/ipc.ts';
import { problemSchema, type Problem } from '../contract/problem.ts';
import { describeError } from '../upstream/errors.ts';
import { CliError } from './cli-error.ts';

/** Where a running gateway is, and the token to show it. */
export interface ClientOptions {
  readonly gateway: string;
  readonly token?: string;
}

/**
 * Asks a running gateway's control plane; resolves with the JSON of a 200. Rejects with a `CliError` that says what
 * the gateway refused, or that none answers.
 */
export async function ask(
  options: ClientOptions,
  path: string,
  body?: unknown,
  method: Method = body === undefined ? 'GET' : 'POST',
): Promise<unknown> {
  const token = options.token ?? process.env['TOOLGATE_TOKEN'] ?? '';
  if (token === '') throw new CliError('give a token with --token or in TOOLGATE_TOKEN', EXIT.usage);
  const { statusCode, answer } = await exchange(options.gateway, path, token, method, body);
  if (statusCode === 200 || statusCode === 204) return answer;
  const problem = problemSchema.safeParse(answer);
  if (problem.success) throw new RefusedError(problem.data);
  throw new CliError(`HTTP ${statusCode}`);
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** The gateway refused; the message is its own. */
export class RefusedError extends CliError {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

async function exchange(
  url: string,
  path: string,
  token: string,
  method: Method,
  body: unknown,
): Promise<{ statusCode: number; answer: unknown }> {
  try {
    const response = await request(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    return {
      statusCode: response.statusCode,
      answer: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
  } catch (error) {
    throw new CliError(
      `no gateway answers at ${url} (${describeError(error)}); start one with toolgate serve`,
    );
  }
}
