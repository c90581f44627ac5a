import { isJsonObject, type JsonObject } from '../../contract/json.ts';

/** What a server may ask, by its method, with the word its keys begin with. */
const KINDS: Readonly<Record<string, 'elicitation' | 'sampling' | 'roots'>> = {
  'elicitation/create': 'elicitation',
  'sampling/createMessage': 'sampling',
  'roots/list': 'roots',
};

export function kindOf(method: string): string {
  return KINDS[method] ?? 'request';
}

/**
 * Whether a client declared that it can be asked this, down to the mode (MCP 2026-07-28, Elicitation and Sampling):
 * a bare `elicitation` means forms.
 */
export function declares(capabilities: JsonObject, method: string, params: JsonObject): boolean {
  const kind = KINDS[method];
  const declared = kind === undefined ? undefined : capabilities[kind];
  if (!isJsonObject(declared)) return false;
  if (kind === 'elicitation') {
    if (params['mode'] === 'url') return isJsonObject(declared['url']);
    return isJsonObject(declared['form']) || !('url' in declared);
  }
  const tools = params['tools'] !== undefined || params['toolChoice'] !== undefined;
  return kind !== 'sampling' || !tools || isJsonObject(declared['tools']);
}

/** What is wrong with an answer to a question; undefined when it can be handed to the server. */
export function answerFault(method: string, answer: unknown): string | undefined {
  if (!isJsonObject(answer)) return 'must be an object';
  switch (KINDS[method]) {
    case 'elicitation':
      return ACTIONS.has(answer['action']) ? undefined : 'needs an action: accept, decline or cancel';
    case 'roots':
      return Array.isArray(answer['roots']) ? undefined : 'needs the list roots';
    default:
      return typeof answer['role'] === 'string' && 'content' in answer ? undefined : 'needs role and content';
  }
}

const ACTIONS: ReadonlySet<unknown> = new Set(['accept', 'decline', 'cancel']);
