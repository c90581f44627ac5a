import { isAbsolute, join } from 'node:path';
import * as z from 'zod';
import { isJsonObject } from '../../contract/json.ts';
import type { ClientId } from '../../contract/import.ts';

/** Where a file was found, as far as its entries depend on it. */
export interface EntryContext {
  readonly client?: ClientId | undefined;
  /** The workspace folder, for `${workspaceFolder}` and relative folders. */
  readonly folder?: string | undefined;
  /** The user's home, for `${userHome}`. */
  readonly home?: string | undefined;
  readonly allowPrivateAddress?: boolean | undefined;
  /** The reference that stands for an input of the file. */
  readonly input: (id: string) => string;
}

/** An entry that cannot be taken over, and why. */
export class EntryError extends Error {}

const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const texts = z.record(z.string(), text.nullable());
const names = z.array(z.string());

/** What clients write for a server. What only fine-tunes it must not reject it. */
const entrySchema = z.looseObject({
  type: z.string().optional(),
  command: z.string().min(1).optional(),
  args: z.array(text).nullish(),
  env: texts.nullish(),
  cwd: z.string().nullish(),
  url: z.string().min(1).optional(),
  serverUrl: z.string().min(1).optional(),
  headers: texts.nullish(),
  disabled: z.boolean().optional().catch(undefined),
  tools: names.optional().catch(undefined),
  disabledTools: names.optional().catch(undefined),
  /** Cline: seconds. Others: milliseconds. */
  timeout: z.number().positive().optional().catch(undefined),
});

const TRANSPORTS: Readonly<Record<string, 'stdio' | 'http' | 'sse'>> = {
  stdio: 'stdio',
  local: 'stdio',
  http: 'http',
  'streamable-http': 'http',
  streamablehttp: 'http',
  streamable_http: 'http',
  sse: 'sse',
};
/** Keys that mean something there and have no counterpart here. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  envFile: 'its envFile is not read: give its variables in env',
  sandboxEnabled: 'it ran in a sandbox there, and does not here',
  sandbox: 'it ran in a sandbox there, and does not here',
  headersHelper: 'its headersHelper is not run: give the headers in auth.headers',
  autoApprove: 'which tools run without asking is not taken over',
  alwaysAllow: 'which tools run without asking is not taken over',
};

/** A server of the configuration, without its name. Throws an `EntryError`. */
export function readEntry(
  value: unknown,
  context: EntryContext,
): { readonly server: Record<string, unknown>; readonly notes: string[] } {
  const parsed = entrySchema.safeParse(nested(value));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.') ?? '';
    throw new EntryError(`${where === '' ? 'the entry' : where}: ${issue?.message ?? 'is not valid'}`);
  }
  const entry = parsed.data;
  const notes = Object.entries(LEFT_OUT).flatMap(([key, note]) => (has(entry[key]) ? [note] : []));
  const translate = (written: string): string => translated(written, context, notes);
  const address = entry.url ?? entry.serverUrl;
  const kind = kindOf(entry.type, entry.command, address);
  const common = {
    ...(entry.disabled === true && { disabled: true }),
    ...toolsOf(entry.tools, entry.disabledTools),
    ...(entry.timeout !== undefined && { timeouts: { call: timeoutOf(entry.timeout, context.client) } }),
  };
  if (kind === 'stdio') {
    const cwd = folderOf(entry.cwd ?? undefined, context, translate);
    return {
      notes,
      server: {
        command: translate(entry.command ?? ''),
        ...(entry.args && entry.args.length > 0 && { args: entry.args.map(translate) }),
        ...textsOf('env', entry.env, translate),
        ...(cwd !== undefined && { cwd }),
        ...common,
      },
    };
  }
  const headers = textsOf('headers', entry.headers, translate);
  const url = addressOf(address ?? '', context, notes);
  const sse = kind === 'sse' || (entry.type === undefined && /\/sse\/?$/.test(new URL(url).pathname));
  return {
    notes,
    server: {
      url,
      ...(sse && { transport: 'sse' }),
      ...authOf(headers, entry['oauth']),
      ...(isPrivate(url) && context.allowPrivateAddress === true && { allowPrivateAddress: true }),
      ...common,
    },
  };
}

/** Clients that sign in with OAuth by themselves write down at most what they cannot find out. */
function authOf(headers: object, oauth: unknown): { readonly auth?: object } {
  if ('headers' in headers) return { auth: { type: 'header', ...headers } };
  if (!isJsonObject(oauth) || oauth['enabled'] === false) return {};
  const { clientId, scopes } = oauth;
  return {
    auth: {
      type: 'oauth2',
      ...(typeof clientId === 'string' && clientId !== '' && { clientId }),
      ...(Array.isArray(scopes) && scopes.length > 0 && { scopes }),
    },
  };
}

/** Cline also writes `{ transport: { type, … } }`. */
function nested(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { transport, ...rest } = value as Record<string, unknown>;
  if (typeof transport === 'string') return { type: transport, ...rest };
  return typeof transport === 'object' && transport !== null ? { ...rest, ...transport } : value;
}

function kindOf(
  type: string | undefined,
  command: string | undefined,
  address: string | undefined,
): 'stdio' | 'http' | 'sse' {
  const named = type === undefined ? undefined : TRANSPORTS[type.toLowerCase()];
  if (type !== undefined && named === undefined)
    throw new EntryError(`type: "${type}" is not known; it is stdio, http or sse`);
  const kind = named ?? (command !== undefined ? 'stdio' : 'http');
  if (kind === 'stdio' && command === undefined) throw new EntryError('command: a stdio server needs one');
  if (kind !== 'stdio' && address === undefined) throw new EntryError('it has neither a command nor a url');
  return kind;
}

function toolsOf(only: string[] | undefined, without: string[] | undefined): Record<string, unknown> {
  const all = only === undefined || only.includes('*');
  const denied = (without ?? []).map((match) => ({ match, effect: 'deny' }));
  const allowed = all ? [] : only.map((match) => ({ match, effect: 'allow' }));
  const tools = [...denied, ...allowed];
  return { ...(tools.length > 0 && { tools }), ...(!all && { unlistedTools: 'deny' }) };
}

function timeoutOf(timeout: number, client: ClientId | undefined): string {
  const ms = client === 'cline' ? timeout * 1000 : timeout;
  return `${Math.min(Math.max(Math.round(ms), 1), 86_400_000)}ms`;
}

function textsOf<Key extends string>(
  key: Key,
  values: Readonly<Record<string, string | null>> | null | undefined,
  translate: (written: string) => string,
): Partial<Record<Key, Record<string, string>>> {
  const given = Object.entries(values ?? {}).flatMap(([name, value]): [string, string][] =>
    value === null ? [] : [[name, translate(value)]],
  );
  return (given.length === 0 ? {} : { [key]: Object.fromEntries(given) }) as Partial<
    Record<Key, Record<string, string>>
  >;
}

function folderOf(
  cwd: string | undefined,
  { folder }: EntryContext,
  translate: (written: string) => string,
): string | undefined {
  if (cwd === undefined) return folder;
  const path = translate(cwd);
  return folder === undefined || isAbsolute(path) || path.startsWith('${') ? path : join(folder, path);
}

function addressOf(address: string, { allowPrivateAddress }: EntryContext, notes: string[]): string {
  if (address.includes('${')) {
    throw new EntryError(
      'url: it holds a variable; write the address out, and put a credential into a header',
    );
  }
  if (!URL.canParse(address)) throw new EntryError(`url: "${address}" is not an address`);
  if (isPrivate(address) && allowPrivateAddress !== true)
    notes.push('it is on this machine or its network: it is not reached without allowPrivateAddress: true');
  return address;
}

/** Names that are never public; what a name resolves to is checked when it is dialled. */
function isPrivate(address: string): boolean {
  const { hostname } = new URL(address);
  return /^(localhost|.*\.localhost|127\..*|10\..*|192\.168\..*|172\.(1[6-9]|2\d|3[01])\..*|169\.254\..*|0\.0\.0\.0|\[.*\])$/i.test(
    hostname,
  );
}

const VARIABLE = /\$\{([^}]*)\}/g;

/**
 * A client's variables as references of the configuration. Ours are none of theirs: a file must not name our
 * secrets and files.
 */
function translated(written: string, context: EntryContext, notes: string[]): string {
  const known = (value: string | undefined, variable: string): string => {
    if (value !== undefined) return value;
    throw new EntryError(`${variable} has no value here: write it out`);
  };
  const said = written.replace(VARIABLE, (variable, inner: string) => {
    const [, id] = /^input:(.+)$/.exec(inner) ?? [];
    if (id !== undefined) return context.input(id);
    if (inner === 'workspaceFolder') return known(context.folder, variable);
    if (inner === 'userHome') return known(context.home, variable);
    const [, name, fallback] = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(:-.*)?$/.exec(inner) ?? [];
    if (name === undefined) throw new EntryError(`${variable} has no counterpart here: write it out`);
    if (fallback !== undefined)
      notes.push(`${variable} has a default there; here ${name} must be set where the gateway runs`);
    return `\${env:${name}}`;
  });
  if (/\$\{[^}]*$/.test(said)) throw new EntryError('it holds a "${" that is not closed');
  return said;
}

function has(value: unknown): boolean {
  return (
    value !== undefined && value !== false && value !== null && !(Array.isArray(value) && value.length === 0)
  );
}
