import { isJsonObject, type JsonObject } from '../contract/json.ts';
import { READ_RESULT } from '../contract/read-result.ts';
import type { Call, CallTarget } from '../pipeline/call.ts';
import { CODES, type RpcError } from './jsonrpc.ts';
import type { ListMethod, Target, View } from './scope.ts';

/** The methods that list what an address offers. */
export const LISTS: ReadonlySet<string> = new Set<ListMethod>([
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'prompts/list',
]);

/** Characters of the address of a resource that is subscribed to. */
export const MAX_URI_CHARS = 8_192;

/** What a request is for, with its params as the server knows them. */
export interface Aim {
  readonly target: CallTarget;
  readonly params: JsonObject;
  readonly method?: Call['method'];
  readonly page?: Call['page'];
  /** It sets something for the session at its server, and so needs a connection of the session's own. */
  readonly settles?: boolean;
}

/** Finds what a request is for, and turns its names into those the server knows; text is the answer itself. */
export function takeAim(view: View, method: string, params: JsonObject): Aim | RpcError | string | undefined {
  switch (method) {
    case 'tools/call': {
      const asked = view.discover?.(params) ?? { params };
      if ('result' in asked) return JSON.stringify(asked.result);
      return 'code' in asked ? asked : aimTool(view, asked.params);
    }
    case 'prompts/get': {
      const target = view.prompt(String(params['name']));
      if (!target) return { code: CODES.invalidParams, message: `Unknown prompt: ${String(params['name'])}` };
      return { target: { ...target, kind: 'prompt' }, params: { ...params, name: target.name } };
    }
    case 'resources/read': {
      const uri = String(params['uri']);
      const target = view.resource(uri);
      if (!target) return { code: CODES.resourceNotFound, message: 'Resource not found', data: { uri } };
      return { target: { ...target, kind: 'resource' }, params: { ...params, uri } };
    }
    case 'completion/complete':
      return aimCompletion(view, params);
    case 'logging/setLevel':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return aimSetting(view, method, params);
    default:
      return undefined;
  }
}

/** What a session can set at a server's own address; aggregates and discovery do not offer it. */
function aimSetting(
  view: View,
  method: 'logging/setLevel' | 'resources/subscribe' | 'resources/unsubscribe',
  params: JsonObject,
): Aim | RpcError | undefined {
  if (view.own === undefined || view.discover !== undefined) return undefined;
  const { id: serverId, status } = view.own;
  if (method === 'logging/setLevel') {
    if (!isJsonObject(status.declared['logging'])) return undefined;
    return { target: { serverId, kind: 'logging', name: String(params['level']) }, params, settles: true };
  }
  const { resources } = status.declared;
  if (!isJsonObject(resources) || resources['subscribe'] !== true) return undefined;
  const name = String(params['uri']);
  // What is subscribed to is kept for as long as the session.
  if (name.length > MAX_URI_CHARS)
    return { code: CODES.invalidParams, message: `uri is longer than ${MAX_URI_CHARS} characters` };
  return {
    target: { serverId, kind: 'resource', name },
    params,
    method,
    settles: true,
  };
}

function aimTool(view: View, params: JsonObject): Aim | RpcError {
  if (params['name'] === READ_RESULT && view.read !== undefined) return view.read(params['arguments']);
  const target = view.tool(String(params['name']));
  if (!target) return { code: CODES.invalidParams, message: `Unknown tool: ${String(params['name'])}` };
  if (params['arguments'] !== undefined && !isJsonObject(params['arguments'])) {
    return { code: CODES.invalidParams, message: 'arguments must be an object' };
  }
  return { target: { ...target, kind: 'tool' }, params: { ...params, name: target.name } };
}

function aimCompletion(view: View, params: JsonObject): Aim | RpcError {
  const ref = isJsonObject(params['ref']) ? params['ref'] : {};
  const prompt = ref['type'] === 'ref/prompt';
  const name = String(prompt ? ref['name'] : ref['uri']);
  const target: Target | undefined = prompt ? view.prompt(name) : view.resource(name);
  if (!target)
    return { code: CODES.invalidParams, message: `Unknown ${prompt ? 'prompt' : 'resource'}: ${name}` };
  const renamed = prompt ? { ...ref, name: target.name } : ref;
  return { target: { ...target, kind: 'completion' }, params: { ...params, ref: renamed } };
}

/** The client's own token for progress of a request, when it asked for progress. */
export function progressToken(params: JsonObject): unknown {
  return isJsonObject(params['_meta']) ? params['_meta']['progressToken'] : undefined;
}

/** The params without that token: the gateway has one of its own with the server. */
export function withoutProgressToken(params: JsonObject): JsonObject {
  if (progressToken(params) === undefined) return params;
  const { progressToken: _token, ...meta } = params['_meta'] as JsonObject;
  return { ...params, _meta: meta };
}
