import type { IncomingHttpHeaders } from 'node:http';
import { isJsonObject, type JsonObject } from '../../contract/json.ts';
import type { Envelope } from '../../pipeline/call.ts';
import type { Listed } from '../../registry/entry.ts';
import { MODERN_VERSION } from '../../upstream/connection.ts';
import { META } from '../../upstream/envelope.ts';
import {
  argumentAt,
  decodeHeader,
  NAMED,
  readMarks,
  type MirroredArgument,
} from '../../upstream/mirrored-headers.ts';
import { tooLong } from '../handshake.ts';
import { CODES, type Incoming, type Reply, type RequestId, type RpcError } from '../jsonrpc.ts';

/** A request of the modern era, its envelope taken off. */
export interface ModernRequest {
  readonly id: RequestId;
  readonly method: string;
  /** Without the `_meta` keys of the envelope. */
  readonly params: JsonObject;
  readonly envelope: Envelope;
}

/** An error with the HTTP status it is answered with. */
export interface StatusError extends RpcError {
  readonly status: number;
}

/** The codes that the specification reserves (MCP 2026-07-28, Error Codes). */
export const MODERN_CODES = {
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
} as const;

/** The methods a modern client can call; all others are answered 404. */
const METHODS: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'completion/complete',
  'subscriptions/listen',
]);

/** From the least severe to the most (RFC 5424, 6.2.1). */
export const LOG_LEVELS: readonly unknown[] = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
];

/** An extension whose methods the gateway does not serve: a server must not count on the caller having it. */
const NOT_CARRIED = 'io.modelcontextprotocol/tasks';

/**
 * Whether an HTTP request names a revision of the modern era in its header; one without a body that does is not
 * served.
 */
export function namesModern(headers: IncomingHttpHeaders): boolean {
  const version = headers['mcp-protocol-version'];
  return typeof version === 'string' && /^\d{4}-\d\d-\d\d$/.test(version) && version >= MODERN_VERSION;
}

/** Whether a message is of the modern era: by what it says itself, else by its header. */
export function speaksModern(headers: IncomingHttpHeaders, message: Incoming | Reply): boolean {
  if (namesModern(headers)) return true;
  return 'method' in message && META.protocolVersion in metaOf(message.params);
}

/**
 * Reads a request of the modern era: its envelope, and that its headers say what its body says (MCP 2026-07-28,
 * Streamable HTTP, Request Metadata), so that nobody on the way was misled by them.
 */
export function readRequest(
  headers: IncomingHttpHeaders,
  message: Incoming & { readonly id: RequestId },
): ModernRequest | StatusError {
  const { id, method, params } = message;
  const meta = metaOf(params);
  const fault = envelopeFault(meta) ?? headerFault(headers, method, params, meta);
  if (fault !== undefined) return fault;
  if (!METHODS.has(method)) return methodNotFound(method);
  const clientInfo = meta[META.clientInfo];
  const logLevel = meta[META.logLevel];
  const envelope: Envelope = {
    clientCapabilities: carried(meta[META.clientCapabilities] as JsonObject),
    ...(isJsonObject(clientInfo) && { clientInfo }),
    ...(typeof logLevel === 'string' && { logLevel }),
  };
  return { id, method, params: withoutEnvelope(params), envelope };
}

export function methodNotFound(method: string): StatusError {
  return { status: 404, code: CODES.methodNotFound, message: `${method} is not offered here` };
}

/**
 * Compares the headers of a `tools/call` with the arguments that the tool's schema marks with `x-mcp-header`. A
 * tool whose marks are faulty has none. Which tools mark anything is read once for each list.
 */
export function createArgumentHeaderCheck(): (
  tools: readonly Listed[],
  params: JsonObject,
  headers: IncomingHttpHeaders,
) => StatusError | undefined {
  const known = new WeakMap<readonly Listed[], ReadonlyMap<unknown, readonly MirroredArgument[]>>();
  return (tools, { name, arguments: args }, headers) => {
    let marked = known.get(tools);
    if (marked === undefined) known.set(tools, (marked = markedOf(tools)));
    for (const { path, header } of marked.get(name) ?? []) {
      const value = argumentAt(path, args);
      if (value === undefined || value === null || typeof value === 'object') continue;
      if (!says(headers[header], value)) return mismatch(header, `arguments.${path.join('.')}`);
    }
    return undefined;
  };
}

function markedOf(tools: readonly Listed[]): ReadonlyMap<unknown, readonly MirroredArgument[]> {
  const marked = new Map<unknown, readonly MirroredArgument[]>();
  for (const { name, inputSchema } of tools) {
    const marks = readMarks(inputSchema);
    if ('marked' in marks && marks.marked.length > 0) marked.set(name, marks.marked);
  }
  return marked;
}

function says(header: string | string[] | undefined, value: unknown): boolean {
  const decoded = typeof header === 'string' ? decodeHeader(header) : undefined;
  if (decoded === undefined) return false;
  if (typeof value === 'number' && /^-?\d+(\.\d+)?$/.test(decoded)) return Number(decoded) === value;
  return decoded === String(value);
}

function envelopeFault(meta: JsonObject): StatusError | undefined {
  const required = [META.protocolVersion, META.clientCapabilities];
  const missing = required.filter((key) => meta[key] === undefined);
  if (missing.length > 0)
    return invalid(`_meta lacks ${missing.join(' and ')}, which every request needs`, { missing });
  if (typeof meta[META.protocolVersion] !== 'string')
    return invalid(`${META.protocolVersion} must be a string`);
  for (const key of [META.clientCapabilities, META.clientInfo])
    if (meta[key] !== undefined && !isJsonObject(meta[key])) return invalid(`${key} must be an object`);
  const long = tooLong({
    [META.clientCapabilities]: meta[META.clientCapabilities],
    [META.clientInfo]: meta[META.clientInfo],
  });
  if (long !== undefined) return { ...invalid(long), status: 413 };
  const level = meta[META.logLevel];
  if (level !== undefined && !LOG_LEVELS.includes(level))
    return invalid(`${META.logLevel} must be one of ${LOG_LEVELS.join(', ')}`);
  return undefined;
}

function headerFault(
  headers: IncomingHttpHeaders,
  method: string,
  params: JsonObject,
  meta: JsonObject,
): StatusError | undefined {
  const requested = meta[META.protocolVersion];
  if (headers['mcp-protocol-version'] !== requested)
    return mismatch('MCP-Protocol-Version', META.protocolVersion);
  if (requested !== MODERN_VERSION)
    return {
      status: 400,
      code: MODERN_CODES.unsupportedVersion,
      message: `the protocol version ${String(requested)} is not supported here; use ${MODERN_VERSION}`,
      data: { supported: [MODERN_VERSION], requested },
    };
  if (headers['mcp-method'] !== method) return mismatch('Mcp-Method', 'method');
  const key = Object.hasOwn(NAMED, method) ? NAMED[method] : undefined;
  if (key === undefined) return undefined;
  return typeof params[key] === 'string' && !says(headers['mcp-name'], params[key])
    ? mismatch('Mcp-Name', `params.${key}`)
    : undefined;
}

function mismatch(header: string, field: string): StatusError {
  return {
    status: 400,
    code: MODERN_CODES.headerMismatch,
    message: `the header ${header} is missing or does not say what ${field} of the body says`,
    data: { header, field },
  };
}

function invalid(message: string, data?: JsonObject): StatusError {
  return { status: 400, code: CODES.invalidParams, message, ...(data !== undefined && { data }) };
}

function metaOf(params: JsonObject): JsonObject {
  return isJsonObject(params['_meta']) ? params['_meta'] : {};
}

function withoutEnvelope(params: JsonObject): JsonObject {
  const {
    [META.protocolVersion]: _version,
    [META.clientCapabilities]: _capabilities,
    [META.clientInfo]: _info,
    [META.logLevel]: _level,
    ...rest
  } = metaOf(params);
  const { _meta, ...others } = params;
  return Object.keys(rest).length === 0 ? others : { ...others, _meta: rest };
}

function carried(capabilities: JsonObject): JsonObject {
  const { extensions } = capabilities;
  if (!isJsonObject(extensions) || !(NOT_CARRIED in extensions)) return capabilities;
  const { [NOT_CARRIED]: _left, ...rest } = extensions;
  return { ...capabilities, extensions: rest };
}
