import { randomUUID } from 'node:crypto';
import type { JsonObject } from '../contract/json.ts';
import type { Call, ConsentRequest } from '../pipeline/call.ts';
import { JsonRpcError } from '../upstream/errors.ts';
import { declares } from './modern/questions.ts';
import type { Route } from './relay.ts';

const METHOD = 'elicitation/create';

/** Whether a client declared that it asks a person to open an address (MCP, Elicitation, URL mode). */
export function opensAddresses(capabilities: JsonObject): boolean {
  return declares(capabilities, METHOD, { mode: 'url' });
}

/** The question that has a person sign in, as both eras spell it. */
export function signInQuestion({ url, server }: ConsentRequest): {
  readonly method: string;
  readonly params: JsonObject;
} {
  const message = `${server} asks you to sign in. Open the address, and allow Toolgate to use it for you.`;
  return { method: METHOD, params: { mode: 'url', message, url } };
}

/** Asks the client of a legacy session to open the address, and tells it when that is done (MCP 2025-11-25). */
export function askToOpen(route: Route, signal: AbortSignal): NonNullable<Call['onConsent']> {
  return async (consent) => {
    const elicitationId = randomUUID();
    const { method, params } = signInQuestion(consent);
    try {
      const answer = await route.ask(method, { ...params, elicitationId }, signal);
      if (answer['action'] !== 'accept') return false;
    } catch (error) {
      if (error instanceof JsonRpcError) return false;
      throw error;
    }
    void consent
      .given(signal)
      .then((given) => given && route.deliver('notifications/elicitation/complete', { elicitationId }));
    return true;
  };
}
