import { isAlias, isScalar, type Document, type Scalar } from 'yaml';
import { credentialsInQuery, isCredential, isWrittenOut, writtenCredentials } from '../config/credentials.ts';
import type { Config } from '../config/schema.ts';

type Path = readonly (string | number)[];

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
  const replace = (path: Path, parts: readonly string[], before: string): void => {
    const scalar = scalarAt(path);
    // An alias may stand here and have been replaced where it is defined.
    if (scalar === undefined || !isWrittenOut(scalar.value.slice(before.length))) return;
    const name = variable(parts);
    scalar.value = `${before}\${env:${name}}`;
    notes.push(`${path.join('.')} held a value written out; it is now \${env:${name}}, which you must set.`);
  };

  config.groups.forEach((group, g) => {
    group.servers.forEach((server, s) => {
      const path = ['groups', g, 'servers', s];
      for (const credential of writtenCredentials(server)) {
        const parts = [group.name, server.name, credential.label];
        replace([...path, ...credential.path], parts, credential.before);
      }
      server.tools.forEach(({ fixed }, t) => {
        for (const [name, value] of Object.entries(fixed)) {
          if (typeof value === 'string' && isCredential(name, value))
            replace([...path, 'tools', t, 'fixed', name], [group.name, server.name, name], '');
        }
      });
      for (const key of ['url', 'openapi', 'baseUrl'])
        cutQuery(scalarAt([...path, key]), `${group.name}:${server.name}`, notes);
    });
  });
  config.models.providers.forEach((provider, p) => {
    const path = ['models', 'providers', p];
    replace([...path, 'apiKey'], [provider.name, 'api_key'], '');
    cutQuery(scalarAt([...path, 'baseUrl']), `provider ${provider.name}`, notes);
  });
  return notes;
}

function cutQuery(scalar: (Scalar & { value: string }) | undefined, whose: string, notes: string[]): void {
  if (scalar === undefined || !URL.canParse(scalar.value)) return;
  const url = new URL(scalar.value);
  const secret = credentialsInQuery(url);
  for (const name of secret) {
    url.searchParams.delete(name);
    notes.push(
      `The address of ${whose} held a credential in "${name}"; it was left out, and you must supply it.`,
    );
  }
  if (secret.length > 0) scalar.value = url.href;
}
