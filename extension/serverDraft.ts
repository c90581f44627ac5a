import type { WrittenServer } from './registryChanges.ts';

/** What a person has said of a server so far. */
export interface ServerDraft {
  readonly kind: 'url' | 'command' | 'openapi';
  /** The address, the command line or the document, as `kind` says. */
  readonly where: string;
  readonly name: string;
  readonly group: string;
  /** `oauth2`: each person signs in, in the browser. */
  readonly auth: 'none' | 'bearer' | 'header' | 'oauth2';
  readonly header: string;
  /** The credential's value; it goes to the secret storage and nowhere else. */
  readonly credential: string;
  readonly allowPrivateAddress: boolean;
}

/** A server for the configuration, and the secret it refers to. */
export interface Drafted {
  readonly server: WrittenServer;
  readonly secrets: Readonly<Record<string, string>>;
}

/** The server a draft describes. The credential becomes a reference to a secret named after group and server. */
export function serverOf(draft: ServerDraft): Drafted {
  const { kind, where, name, auth, allowPrivateAddress } = draft;
  const secret = secretNameOf(draft);
  const [command = '', ...args] = words(where);
  const place = kind === 'url' ? { url: where } : kind === 'openapi' ? { openapi: where } : { command, args };
  return {
    server: {
      name,
      ...place,
      ...(auth !== 'none' && { auth: authOf(draft) }),
      ...(allowPrivateAddress && { allowPrivateAddress }),
    },
    secrets: hasSecret(draft) ? { [secret]: draft.credential } : {},
  };
}

/** Whether a draft has a credential that is kept here; a sign-in has none. */
export function hasSecret({ auth }: Pick<ServerDraft, 'auth'>): boolean {
  return auth === 'bearer' || auth === 'header';
}

/** The `auth` that a draft's answers come to. */
export function authOf(draft: Pick<ServerDraft, 'auth' | 'header' | 'group' | 'name'>): object {
  if (draft.auth === 'oauth2') return { type: 'oauth2' };
  const reference = `\${secret:${secretNameOf(draft)}}`;
  const headers =
    draft.auth === 'bearer' ? { Authorization: `Bearer ${reference}` } : { [draft.header]: reference };
  return { type: 'header', headers };
}

export function secretNameOf({ group, name }: Pick<ServerDraft, 'group' | 'name'>): string {
  return `${group}-${name}`.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, 64);
}

/** A name for a server that has none yet, from where it is. */
export function suggestName(kind: ServerDraft['kind'], where: string): string {
  const of = kind === 'command' ? programOf(words(where)) : hostOf(where);
  const name = of.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return name.slice(0, 40) || 'server';
}

function programOf([command = '', ...args]: readonly string[]): string {
  const runner = /^(npx|uvx|node|python3?|bunx|pnpm|docker)$/.test(command);
  const main = runner ? (args.find((arg) => !arg.startsWith('-') && arg !== 'run') ?? command) : command;
  const last =
    main
      .replace(/@[\d^~*].*$/, '')
      .split(/[\\/]/)
      .at(-1) ?? main;
  return last.replace(/\.(js|mjs|cjs|ts|py)$/, '');
}

function hostOf(address: string): string {
  const host = URL.canParse(address) ? new URL(address).hostname : address;
  const labels = host.split('.').filter((label) => !/^(www|mcp|api)$/.test(label));
  return labels.length > 1 && !/^\d+$/.test(labels.at(-1) ?? '') ? (labels.at(-2) ?? host) : host;
}

/** Whether an address is on this machine or its network by its looks; the gateway itself checks when it dials. */
export function looksPrivate(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { hostname } = new URL(address);
  return (
    /^(localhost|127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|\[(::1|f[cd]|fe80))/i.test(
      hostname,
    ) || /\.(local|internal|lan)$/i.test(hostname)
  );
}

/** The words of a command line; quotes keep spaces, a backslash keeps the next character. */
export function words(line: string): string[] {
  const found: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const character = line[at] ?? '';
    if (character === '\\' && quote !== "'" && /["'\\\s]/.test(line[at + 1] ?? ''))
      word = (word ?? '') + (line[++at] ?? '');
    else if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/\s/.test(character)) {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (word !== undefined) found.push(word);
  return found;
}
