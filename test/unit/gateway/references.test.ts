import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { referenceSource } from '../../../gateway/cli/setup.ts';
import { ReferenceError, referencesIn, resolveReferences } from '../../../gateway/config/references.ts';

const VALUES: Record<string, string> = {
  'secret:github': 'ghp_x',
  'env:HOME': '/home/me',
  'file:keys/a b.txt': 'from a file',
  'env:COLON:IN:NAME': 'colons',
  'env:TEMPLATE': '${env:HOME}',
  'env:DOLLARS': '$& $1 $$',
  'env:EMPTY': '',
  'env:envX': 'must not be found by another spelling',
  'secret:secrets': 'must not be found by another spelling',
};
const resolve = (text: string): string => resolveReferences(text, (kind, name) => VALUES[`${kind}:${name}`]);

describe('a reference', () => {
  it.each([
    ['${secret:github}', 'ghp_x'],
    ['${env:HOME}', '/home/me'],
    ['${file:keys/a b.txt}', 'from a file'],
    ['Bearer ${secret:github}', 'Bearer ghp_x'],
    ['${env:HOME}/bin:${env:HOME}', '/home/me/bin:/home/me'],
    ['${env:COLON:IN:NAME}', 'colons'],
    ['no reference, $HOME, {env:HOME}, $ {env:HOME}', 'no reference, $HOME, {env:HOME}, $ {env:HOME}'],
    ['', ''],
  ])('%s gives %s', (text, value) => {
    expect(resolve(text)).toBe(value);
  });

  it('gives its value as it is: what looks like a reference or a pattern in it stays text', () => {
    expect(resolve('${env:TEMPLATE}')).toBe('${env:HOME}');
    expect(resolve('${env:DOLLARS}')).toBe('$& $1 $$');
  });

  it.each([
    ['${secret:missing}', 'set the secret "missing"'],
    ['${env:MISSING}', 'set the environment variable MISSING'],
    ['${env:EMPTY}', 'set the environment variable EMPTY'],
    ['${file:none}', 'the file is missing'],
  ])('%s without a value is an error that names it and what to do', (text, what) => {
    expect(() => resolve(`before ${text} after`)).toThrow(ReferenceError);
    expect(() => resolve(text)).toThrow(text);
    expect(() => resolve(text)).toThrow(what);
  });

  it.each([
    '${}',
    '${HOME}',
    '${envX}',
    '${secrets}',
    '${env:}',
    '${ENV:HOME}',
    '${env :HOME}',
    '${vault:x}',
    '${env:HOME',
    'x ${',
  ])('%s is mistyped: an error, never text that is sent as it is', (text) => {
    expect(() => resolve(text)).toThrow('is not a reference; write ${secret:NAME}');
    expect(() => referencesIn(text)).toThrow(ReferenceError);
  });

  it('does not nest', () => {
    expect(() => resolve('${env:${env:HOME}}')).toThrow('${env:${env:HOME}');
  });

  it('is found as written, in order', () => {
    expect(referencesIn('a ${secret:x} b ${env:Y}${file:./z}')).toEqual([
      { kind: 'secret', name: 'x' },
      { kind: 'env', name: 'Y' },
      { kind: 'file', name: './z' },
    ]);
    expect(referencesIn('none')).toEqual([]);
  });
});

describe('where values come from', () => {
  const program = (env: NodeJS.ProcessEnv): Parameters<typeof referenceSource>[0] => ({
    version: '1',
    home: '/home/toolgate',
    file: '/home/toolgate/dist/gateway.js',
    env,
  });

  it('is the environment, with the folder of the program as a default', () => {
    const source = referenceSource(program({ A: 'a' }), '/');
    expect(source('env', 'A')).toBe('a');
    expect(source('env', 'TOOLGATE_HOME')).toBe('/home/toolgate');
    expect(referenceSource(program({ TOOLGATE_HOME: '/mine' }), '/')('env', 'TOOLGATE_HOME')).toBe('/mine');
    for (const name of ['B', 'toString', 'constructor', '__proto__'])
      expect(source('env', name)).toBeUndefined();
  });

  it('is what was handed over for secrets, then a variable made from the name', () => {
    const source = referenceSource(program({ TOOLGATE_SECRET_HUB_KEY: 'from env' }), '/', {
      get: (name) => (name === 'given' ? 'in memory' : undefined),
    });
    expect(source('secret', 'given')).toBe('in memory');
    expect(source('secret', 'hub-key')).toBe('from env');
    for (const name of ['none', 'toString', '__proto__']) expect(source('secret', name)).toBeUndefined();
  });

  it('is a file beside the configuration, without its last line break', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'toolgate-unit-'));
    await writeFile(join(folder, 'key'), 'k\n');
    const source = referenceSource(program({}), folder);
    expect(source('file', 'key')).toBe('k');
    expect(source('file', join(folder, 'key'))).toBe('k');
    expect(source('file', 'missing')).toBeUndefined();
    expect(source('file', '.')).toBeUndefined();
  });
});
