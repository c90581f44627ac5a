import * as z from 'zod';
import { credentialsInQuery, writtenCredentials } from '../../config/credentials.ts';
import { referencesIn } from '../../config/references.ts';
import { serverSchema, type ServerConfig } from '../../config/schema.ts';
import type { Proposal } from '../../contract/import.ts';
import { readDocument, type ClientEntry } from './document.ts';
import { EntryError, readEntry, type EntryContext } from './entry.ts';

export interface ImportContext extends Omit<EntryContext, 'input'> {
  /** Names of servers that are taken. */
  readonly taken?: readonly string[];
  /** Names of secrets that are in use: a file must not be given the value of another's. */
  readonly secretsInUse?: readonly string[];
  /** The origin of the gateway: its own entry in the file is no server of it. */
  readonly gateway?: string | undefined;
}

const inputSchema = z.looseObject({
  id: z.string().min(1),
  description: z.string().optional().catch(undefined),
  password: z.boolean().optional().catch(undefined),
  default: z.string().optional().catch(undefined),
});

/**
 * What the text of a client's list of MCP servers would add to the registry. Every entry is read for itself: one
 * that is broken is told, the others go on. Credentials that are written out become `${secret:NAME}`, their values
 * are handed over beside; inputs become secrets without a value.
 */
export function readProposal(text: string, context: ImportContext = {}): Proposal {
  const document = readDocument(text);
  const names = uniqueNames(context.taken ?? [], (name) => name.toLowerCase());
  const secretNames = uniqueNames(context.secretsInUse ?? [], variableForm);
  const inputs = new Map<string, Proposal['inputs'][number]>();
  const secrets = new Map<string, Proposal['secrets'][number]>();
  const servers: Proposal['servers'] = [];
  const problems: Proposal['problems'] = [...document.problems];

  const described = new Map(
    document.inputs.flatMap((value) => {
      const parsed = inputSchema.safeParse(value);
      return parsed.success ? [[parsed.data.id, parsed.data] as const] : [];
    }),
  );
  const read = (entry: ClientEntry): void => {
    const name = names(validName(entry.name));
    const asked: string[] = [];
    const input = (id: string): string => {
      asked.push(id);
      return `\${input:${id}}`;
    };
    const { server, notes } = readEntry(entry.value, { ...context, input });
    if (context.gateway !== undefined && isOf(server, context.gateway))
      throw new EntryError('it is this gateway itself');
    const checked = check({ name, ...server });
    // Only now is it certain that the entry is taken, and with it what it uses.
    const moved = moveCredentials(checked, server, name, secrets, secretNames);
    const named = asked.length === 0 ? moved : nameInputs(moved, name, described, inputs, secretNames);
    if (entry.project !== undefined) notes.push(`it belongs to the project ${entry.project} there`);
    if (name !== entry.name) notes.push(`"${entry.name}" is called "${name}" here`);
    servers.push({ entry: entry.name, name, server: { name, ...named }, notes: [...new Set(notes)] });
  };
  for (const entry of document.entries) {
    try {
      read(entry);
    } catch (error) {
      if (!(error instanceof EntryError)) throw error;
      problems.push({ entry: entry.name, message: error.message });
    }
  }
  return { servers, problems, secrets: [...secrets.values()], inputs: [...inputs.values()] };
}

type Written = Record<string, unknown>;

function check(server: Written): ServerConfig {
  // A reference to an input becomes one to a secret; its text is judged like one.
  const parsed = serverSchema.safeParse(server);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new EntryError(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is not valid'}`);
  }
  const query = parsed.data.url === undefined ? [] : credentialsInQuery(new URL(parsed.data.url));
  if (query.length > 0) {
    throw new EntryError(
      `url: it holds a credential in "${query[0] ?? ''}", where no reference is resolved; give it in a header, or add the server by hand`,
    );
  }
  return parsed.data;
}

function moveCredentials(
  checked: ServerConfig,
  server: Written,
  name: string,
  secrets: Map<string, Proposal['secrets'][number]>,
  free: (wanted: string) => string,
): Written {
  let moved = server;
  for (const { path, label, before, secret } of writtenCredentials(checked)) {
    const known = secrets.get(secret) ?? { name: free(secretName(name, label)), value: secret, usedBy: [] };
    secrets.set(secret, { ...known, usedBy: [...new Set([...known.usedBy, name])] });
    moved = put(moved, path, `${before}\${secret:${known.name}}`);
  }
  return moved;
}

function nameInputs(
  server: Written,
  name: string,
  described: ReadonlyMap<string, z.infer<typeof inputSchema>>,
  inputs: Map<string, Proposal['inputs'][number]>,
  free: (wanted: string) => string,
): Written {
  const named = (text: string): string =>
    text.replace(/\$\{input:([^}]*)\}/g, (_input, id: string) => {
      const { description, password, default: preset } = described.get(id) ?? {};
      const known = inputs.get(id) ?? {
        id,
        secret: free(secretName(name, id)),
        ...(description !== undefined && { description }),
        password: password !== false,
        ...(preset !== undefined && { default: preset }),
        usedBy: [],
      };
      inputs.set(id, { ...known, usedBy: [...new Set([...known.usedBy, name])] });
      return `\${secret:${known.secret}}`;
    });
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return named(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]));
  };
  return walk(server) as Written;
}

/** The names of the secrets that a configuration refers to. */
export function secretsIn(text: string): string[] {
  try {
    return referencesIn(text).flatMap(({ kind, name }) => (kind === 'secret' ? [name] : []));
  } catch {
    // Something in it is no reference, in a comment perhaps.
    return [...text.matchAll(/\$\{secret:([^}]*)\}/g)].map(([, name = '']) => name);
  }
}

function put(value: unknown, [key, ...rest]: readonly (string | number)[], text: string): Written {
  const inner = rest.length === 0 ? text : put((value as Written)[key as string], rest, text);
  if (Array.isArray(value))
    return value.map((item: unknown, index) => (index === key ? inner : item)) as never;
  return { ...(value as Written), [key as string]: inner };
}

function isOf(server: Written, gateway: string): boolean {
  return [server['url'], ...((server['args'] as unknown[] | undefined) ?? [])].some(
    (text) =>
      typeof text === 'string' && URL.canParse(text) && new URL(text).origin === new URL(gateway).origin,
  );
}

/** A name as the configuration allows it. */
export function validName(name: string): string {
  const valid = name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/_{2,}/g, '_')
    .slice(0, 36)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return valid === '' ? 'server' : valid;
}

function secretName(server: string, label: string): string {
  return `${server}-${label}`.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '');
}

/** Headless, two secrets are one where their environment variables are. */
function variableForm(name: string): string {
  return name.replace(/[^A-Za-z0-9]+/g, '_').toUpperCase();
}

/** Gives the wanted name, or the next one that is free. */
function uniqueNames(taken: readonly string[], form: (name: string) => string): (wanted: string) => string {
  const used = new Set(taken.map(form));
  return (wanted) => {
    let name = wanted;
    for (let number = 2; used.has(form(name)); number++) name = `${wanted}-${number}`;
    used.add(form(name));
    return name;
  };
}
