import { isAlias, isScalar, type Document, type Scalar } from 'yaml';
import type { Config } from '../config/schema.ts';

type Path = readonly (string | number)[];

/** What a variable, header, flag or query parameter is called that holds a credential. */
const SECRET_NAME =
  /token|secret|passw|passphrase|pwd|credential|cookie|session|signature|auth(?!or)|api_?key|(?:^|[_-])(?:key|pat|dsn)$/i;
/** How well-known credentials look, and an address with a password in it. */
const SECRET_VALUE =
  /\b(?:gh[pousr]_|github_pat_|glpat-|sk-|xox[abeprs]-|hf_|tg_pat_|AKIA|AIza|eyJ)[\w.-]{12,}|:\/\/[^/\s:@]*:[^/\s@]+@/;
/** "Bearer xyz" keeps its scheme: only the credential moves. */
const SCHEME = /^(?:Bearer|Basic|Token) /i;
const REFERENCES = /\$\{[^}]*\}/g;

/**
 * Replaces each credential that is written out by a `${env:NAME}` reference, in the document itself. Returns what
 * was changed, in words. Addresses, where no reference is resolved, lose the query parameter that holds one.
 */
export function replaceSecrets(document: Document, config: Config, taken: ReadonlySet<string>): string[] {
  const notes: string[] = [];
  const names = new Set(taken);

  const scalarAt = (path: Path): (Scalar & { value: string }) | undefined => {
    const node = document.getIn(path, true);
    const scalar = isAlias(node) ? node.resolve(document) : node;
    return isScalar(scalar) && typeof scalar.value === 'string'
      ? (scalar as Scalar & { value: string })
      : undefined;
  };
  const variable = (parts: readonly string[]): string => {
    const name = parts
      .join('_')
      .replace(/[^A-Za-z0-9]+/g, '_')
      .replace(/^_|_$/g, '')
      .replace(/^(?=\d)/, '_')
      .toUpperCase();
    let free = name;
    for (let number = 2; names.has(free); number++) free = `${name}_${number}`;
    names.add(free);
    return free;
  };
  /** `before` is what stays of the value: an authentication scheme, or a flag. */
  const replace = (path: Path, parts: readonly string[], before: (value: string) => string): void => {
    const scalar = scalarAt(path);
    if (scalar === undefined) return;
    const stays = before(scalar.value);
    const secret = scalar.value.slice(stays.length);
    const written = secret.replace(REFERENCES, '');
    if (secret === '' || (written !== secret && !SECRET_VALUE.test(written))) return;
    const name = variable(parts);
    scalar.value = `${stays}\${env:${name}}`;
    notes.push(`${path.join('.')} held a value written out; it is now \${env:${name}}, which you must set.`);
  };
  const scheme = (value: string): string => SCHEME.exec(value)?.[0] ?? '';

  config.groups.forEach((group, g) => {
    group.servers.forEach((server, s) => {
      const path = ['groups', g, 'servers', s];
      const of = [group.name, server.name];
      const headers = server.auth.type === 'header' ? Object.keys(server.auth.headers) : [];
      for (const header of headers) replace([...path, 'auth', 'headers', header], [...of, header], scheme);
      for (const [name, value] of Object.entries(server.env)) {
        if (SECRET_NAME.test(name) || SECRET_VALUE.test(value))
          replace([...path, 'env', name], [...of, name], none);
      }
      server.args.forEach((argument, index) => {
        const flag = /^-{1,2}[^=\s]+=/.exec(argument)?.[0];
        const before = server.args[index - 1] ?? '';
        const follows =
          flag === undefined && before.startsWith('-') && !before.includes('=') && SECRET_NAME.test(before);
        if (follows && !argument.startsWith('-')) replace([...path, 'args', index], [...of, before], none);
        else if (SECRET_VALUE.test(argument) || (flag !== undefined && SECRET_NAME.test(flag.slice(0, -1)))) {
          replace([...path, 'args', index], [...of, flag ?? 'argument'], () => flag ?? '');
        }
      });
      server.tools.forEach(({ fixed }, t) => {
        for (const [name, value] of Object.entries(fixed)) {
          if (typeof value === 'string' && (SECRET_NAME.test(name) || SECRET_VALUE.test(value)))
            replace([...path, 'tools', t, 'fixed', name], [...of, name], none);
        }
      });
      for (const key of ['url', 'openapi', 'baseUrl'])
        cutQuery(scalarAt([...path, key]), `${group.name}:${server.name}`, notes);
    });
  });
  config.models.providers.forEach((provider, p) => {
    const path = ['models', 'providers', p];
    replace([...path, 'apiKey'], [provider.name, 'api_key'], none);
    cutQuery(scalarAt([...path, 'baseUrl']), `provider ${provider.name}`, notes);
  });
  return notes;
}

function none(): string {
  return '';
}

function cutQuery(scalar: (Scalar & { value: string }) | undefined, whose: string, notes: string[]): void {
  if (scalar === undefined || !URL.canParse(scalar.value)) return;
  const url = new URL(scalar.value);
  const secret = [...url.searchParams].filter(
    ([name, value]) => SECRET_NAME.test(name) || SECRET_VALUE.test(value),
  );
  for (const [name] of secret) {
    url.searchParams.delete(name);
    notes.push(
      `The address of ${whose} held a credential in "${name}"; it was left out, and you must supply it.`,
    );
  }
  if (secret.length > 0) scalar.value = url.href;
}

/** The lines of a text, from 1, where something looks like a credential: in a comment, or where none belongs. */
export function suspectLines(text: string): number[] {
  return text.split('\n').flatMap((line, index) => (SECRET_VALUE.test(line) ? [index + 1] : []));
}
