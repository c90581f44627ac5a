import type { ServerConfig } from './schema.ts';

/** What a variable, header, flag or query parameter is called that holds a credential. */
const SECRET_NAME =
  /token|secret|passw|passphrase|pwd|credential|cookie|session|signature|auth(?!or)|api_?key|(?:^|[_-])(?:key|pat|dsn)$/i;
/** How well-known credentials look, and an address with a password in it. */
const SECRET_VALUE =
  /\b(?:gh[pousr]_|github_pat_|glpat-|sk-|xox[abeprs]-|hf_|tg_[pv]at_|AKIA|AIza|eyJ)[\w.-]{12,}|:\/\/[^/\s:@]*:[^/\s@]+@/;
/** "Bearer xyz" keeps its scheme: only the credential moves. */
const SCHEME = /^(?:Bearer|Basic|Token) /i;
/** What stands for a value that is elsewhere: references and placeholders. */
const REFERENCES = /\$\{[^}]*\}|\{\{\w+\}\}/g;

/** Where a server's definition holds a credential that is written out. */
export interface WrittenCredential {
  /** Within the server: `['env', 'TOKEN']`. */
  readonly path: readonly (string | number)[];
  /** What it is called there: a header, a variable or a flag. */
  readonly label: string;
  /** What stays of the value: an authentication scheme, or a flag with its `=`. */
  readonly before: string;
  readonly secret: string;
}

/** The credentials that are written out in a server's headers, environment and arguments. */
export function writtenCredentials(
  server: Pick<ServerConfig, 'auth' | 'env' | 'args'>,
): readonly WrittenCredential[] {
  const found: WrittenCredential[] = [];
  const add = (path: WrittenCredential['path'], label: string, value: string, before: string): void => {
    const secret = value.slice(before.length);
    if (isWrittenOut(secret)) found.push({ path, label, before, secret });
  };
  const headers = server.auth.type === 'header' ? server.auth.headers : {};
  for (const [header, value] of Object.entries(headers))
    add(['auth', 'headers', header], header, value, SCHEME.exec(value)?.[0] ?? '');
  for (const [name, value] of Object.entries(server.env))
    if (isCredential(name, value)) add(['env', name], name, value, '');
  server.args.forEach((argument, index) => {
    const flag = /^-{1,2}[^=\s]+=/.exec(argument)?.[0];
    const former = server.args[index - 1] ?? '';
    const follows =
      flag === undefined && former.startsWith('-') && !former.includes('=') && SECRET_NAME.test(former);
    if (follows && !argument.startsWith('-')) add(['args', index], former, argument, '');
    else if (SECRET_VALUE.test(argument) || (flag !== undefined && SECRET_NAME.test(flag.slice(0, -1))))
      add(['args', index], flag ?? 'argument', argument, flag ?? '');
  });
  return found;
}

/** Whether a value holds something that belongs in a secret, and is not a reference already. */
export function isWrittenOut(value: string): boolean {
  const written = value.replace(REFERENCES, '');
  return value !== '' && (written === value || SECRET_VALUE.test(written));
}

/** Whether a named value is a credential, by its name or its looks. */
export function isCredential(name: string, value: string): boolean {
  return SECRET_NAME.test(name) || SECRET_VALUE.test(value);
}

/** The query parameters of an address that hold a credential. */
export function credentialsInQuery(address: URL): readonly string[] {
  return [...address.searchParams].filter(([name, value]) => isCredential(name, value)).map(([name]) => name);
}

/** The lines of a text, from 1, where something looks like a credential: in a comment, or where none belongs. */
export function suspectLines(text: string): number[] {
  return text.split('\n').flatMap((line, index) => (SECRET_VALUE.test(line) ? [index + 1] : []));
}
