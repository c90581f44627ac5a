import type { Dispatcher } from 'undici';
import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import { LATEST_PROTOCOL_VERSION, type Connection } from '../connection.ts';
import { authorized, type Authorizer } from '../authorized.ts';
import { describeError, JsonRpcError, UnavailableError } from '../errors.ts';
import { exchange } from '../http-exchange.ts';
import { toToolResult } from './answer.ts';
import { isAddress, loadDocument } from './document.ts';
import { encodeRequest, UnusableArgument } from './encode.ts';
import { readOperations, type Operation, type Operations } from './operations.ts';

export interface OpenapiDeps {
  /** An http(s) address, or the absolute path of a file. */
  readonly document: string;
  /** What the paths of the document come after. */
  readonly baseUrl: URL;
  /** Sent with every request to `baseUrl`'s origin and nowhere else, references resolved. */
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher: Dispatcher;
  /** Gives each request to `baseUrl`'s origin its token, where the API wants one. */
  readonly authorizer?: Authorizer | undefined;
  /** The gateway's version. */
  readonly version: string;
  /** Bounds the first reading of the document. */
  readonly signal: AbortSignal;
}

const BODY_LIMIT = 16 * 1024 * 1024;
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;

interface Api extends Operations {
  readonly title: string;
  readonly version: string;
}

/**
 * Speaks to an HTTP API as if it were an MCP server: the operations of its OpenAPI document are its tools. The document
 * is read at the start, and again at each later listing; while it cannot be read, the operations known before stay.
 */
export async function connectOpenapi(given: OpenapiDeps): Promise<Connection> {
  // Header names are the same in any case, and must not be sent twice.
  const headers = Object.fromEntries(
    Object.entries(given.headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const deps = { ...given, headers };
  let api = await readApi(deps, deps.signal);
  let listed = false;
  const list = async (signal: AbortSignal): Promise<JsonObject> => {
    if (listed) api = await readApi(deps, signal);
    listed = true;
    return { tools: [...api.byName.values()].map(({ tool }) => tool) };
  };
  return {
    era: 'legacy',
    get handshake() {
      return {
        protocolVersion: LATEST_PROTOCOL_VERSION,
        serverInfo: { name: api.title, version: api.version },
        capabilities: { tools: {} },
        warnings: api.problems,
      };
    },
    request: async (method, params, { signal }) => {
      if (method === 'tools/list') return list(signal);
      if (method === 'ping') return {};
      if (method !== 'tools/call') throw new JsonRpcError(METHOD_NOT_FOUND, `method not found: ${method}`);
      const operation = api.byName.get(String(params['name']));
      if (operation === undefined)
        throw new JsonRpcError(INVALID_PARAMS, `Unknown tool: ${String(params['name'])}`);
      return call(deps, operation, isJsonObject(params['arguments']) ? params['arguments'] : {}, signal);
    },
    notify: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

async function readApi(
  { document, baseUrl, headers, dispatcher, authorizer }: OpenapiDeps,
  signal: AbortSignal,
): Promise<Api> {
  const own = isAddress(document) && new URL(document).origin === baseUrl.origin;
  const source = { location: document, headers: own ? headers : {}, dispatcher };
  const read = await loadDocument(source, signal);
  const info = isJsonObject(read['info']) ? read['info'] : {};
  const credentials = [...Object.keys(headers), ...(authorizer === undefined ? [] : ['authorization'])];
  const operations = await readOperations(read, credentials);
  if (operations.byName.size === 0) {
    const [first] = operations.problems;
    throw new UnavailableError(
      `${document} has no operation that can be called${first === undefined ? '' : `: ${first}`}`,
    );
  }
  const text = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);
  return { ...operations, title: text(info['title'], 'unnamed'), version: text(info['version'], '') };
}

async function call(
  { baseUrl, headers, dispatcher, authorizer, version }: OpenapiDeps,
  operation: Operation,
  args: JsonObject,
  signal: AbortSignal,
): Promise<JsonObject> {
  const { origin } = baseUrl;
  try {
    const request = encodeRequest(operation, args, baseUrl);
    const sent: Record<string, string> = {
      accept: 'application/json, */*;q=0.8',
      'user-agent': `toolgate/${version}`,
      ...request.headers,
      ...headers,
    };
    const send = (): ReturnType<typeof exchange> =>
      exchange(dispatcher, { origin, ...request, headers: sent }, signal, BODY_LIMIT);
    const response = await (authorizer === undefined ? send() : authorized(authorizer, sent, send));
    return await toToolResult(response, origin + (request.path.split('?')[0] ?? ''), BODY_LIMIT);
  } catch (error) {
    if (error instanceof UnusableArgument)
      return { content: [{ type: 'text', text: error.message }], isError: true };
    if (error instanceof UnavailableError) throw error;
    throw new UnavailableError(`${origin} cannot be reached (${describeError(error)})`);
  }
}
