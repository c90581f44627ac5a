import { newTokenSchema } from '../../gateway/contract/tokens.ts';
import type { RunningGateway } from './gateway.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** The owner of a gateway and people with tokens of their own, by name. */
export interface People {
  readonly tokens: Readonly<Record<string, string>>;
  /** Asks the API below `/api/v1` as one of them. */
  api(who: string, method: string, path: string, body?: unknown): Promise<ApiAnswer>;
}

/** Gives each a token; the owner, whose session token the gateway printed, is there beside them. */
export async function createPeople(
  { address, token }: Pick<RunningGateway, 'address' | 'token'>,
  names: readonly string[],
): Promise<People> {
  const tokens: Record<string, string> = { owner: token };
  const api: People['api'] = async (who, method, path, body) => {
    const response = await fetch(`${address}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens[who] ?? ''}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  for (const name of names) {
    const { body } = await api('owner', 'POST', '/tokens', { name, subject: `user:${name}` });
    tokens[name] = newTokenSchema.parse(body).token;
  }
  return { tokens, api };
}
