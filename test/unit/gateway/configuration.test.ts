import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { differences, needRestart } from '../../../gateway/config/difference.ts';
import { editConfig, EditError, type Edit } from '../../../gateway/config/edit.ts';
import { parseConfig } from '../../../gateway/config/load.ts';
import type { Config } from '../../../gateway/config/schema.ts';
import { createConfiguration, type Configuration } from '../../../gateway/registry/configuration.ts';
import { createConsents } from '../../../gateway/registry/consents.ts';
import { ConflictError, UnwritableError, type ConfigSource } from '../../../gateway/storage/contracts.ts';
import { openFileConfigSource, revisionOf } from '../../../gateway/storage/file-config-source.ts';
import { openConfigStore } from '../../../gateway/storage/lowdb-config-store.ts';

const TEXT = `# Ours.
version: 1
groups:
  - name: dev # for trying
    servers:
      # The notes of everybody.
      - name: notes
        command: notes # found on the PATH
        args: ['--fast', "two words"]
        env: { KEY: '\${secret:notes}' }
        tags: [ a,   b ]

  - name: prod # careful
    description: >
      What counts.
`;
const MEMORY = { name: 'memory', command: 'npx', args: ['-y', 'memory'] };

function read(text: string): Config {
  const parsed = parseConfig(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.config;
}

describe('an edit of the text', () => {
  it.each<[string, Edit]>([
    ['adds a server', { kind: 'add-server', group: 'prod', server: MEMORY }],
    ['changes a server', { kind: 'edit-server', server: 'dev:notes', changes: { description: 'x' } }],
    ['changes a group', { kind: 'edit-group', group: 'prod', changes: { environment: 'prod' } }],
    ['adds a group', { kind: 'add-group', group: { name: 'qa' } }],
    ['moves a server', { kind: 'move-server', server: 'dev:notes', group: 'prod' }],
  ])('%s and leaves comments and references alone', (_name, edit) => {
    const text = editConfig(TEXT, edit);
    for (const kept of ['# Ours.', '# for trying', '# careful', '# found on the PATH', '${secret:notes}'])
      expect(text).toContain(kept);
    expect(differences(read(TEXT), read(text))).not.toEqual([]);
  });

  it('takes a key away with null, and makes lists where there are none', () => {
    const text = editConfig(TEXT, { kind: 'edit-server', server: 'dev:notes', changes: { tags: null } });
    expect(text).not.toContain('tags');
    const added = editConfig('version: 1\n', { kind: 'add-group', group: { name: 'dev' } });
    expect(read(added).groups.map(({ name }) => name)).toEqual(['dev']);
  });

  it('keeps comments and looks within what it changes', () => {
    const before = `version: 1
groups:
  - name: g
    access: # who
      use: [everyone, "team:a"] # all of them
      # managers
      manage:
        - "team:b" # the first
        - "team:c"
`;
    const access = { use: ['everyone', 'user:ann'], manage: ['team:b'] };
    const after = editConfig(before, { kind: 'edit-group', group: 'g', changes: { access } });
    expect(read(after).groups[0]?.access).toEqual(access);
    for (const kept of ['# who', '# all of them', '# managers', '# the first', 'use: [ everyone, user:ann ]'])
      expect(after).toContain(kept);
    const narrowed = editConfig(after, { kind: 'edit-group', group: 'g', changes: { access: { use: [] } } });
    expect(read(narrowed).groups[0]?.access).toEqual({ use: [], manage: [] });
  });

  it('says what holds for one tool, and takes a denial back without losing what was said before', () => {
    const rule = (text: string, said: Extract<Edit, { kind: 'rule-tool' }>['rule']): string =>
      editConfig(text, { kind: 'rule-tool', server: 'dev:notes', tool: 'run', rule: said });
    const rulesOf = (text: string): object[] =>
      read(text).groups.flatMap(({ servers }) =>
        servers.flatMap(({ tools }) => tools.map(({ match, effect, when }) => ({ match, effect, when }))),
      );
    const when = rule(TEXT, { effect: 'allow', when: 'args.a < 1' });
    expect(rulesOf(when)).toEqual([{ match: 'run', effect: 'allow', when: 'args.a < 1' }]);
    const denied = rule(when, { effect: 'deny' });
    expect(rulesOf(denied)).toHaveLength(2);
    expect(rule(denied, { effect: 'deny' })).toBe(denied);
    expect(rule(denied, null)).toBe(when);
    expect(rulesOf(rule(denied, { effect: 'allow' }))).toEqual([
      { match: 'run', effect: 'allow', when: undefined },
    ]);
    expect(rule(when, null)).not.toContain('tools');
    const renamed = editConfig(when, {
      kind: 'edit-server',
      server: 'dev:notes',
      changes: { tools: [{ match: 'run', effect: 'deny', title: 'Run' }] },
    });
    expect(rulesOf(rule(renamed, null))).toHaveLength(1);
  });

  it('refuses what is not there, what is there already, and a group that is not empty', () => {
    const refusals: [Edit, number, string][] = [
      [{ kind: 'remove-server', server: 'dev:nothing' }, 404, 'server'],
      [{ kind: 'add-server', group: 'nowhere', server: MEMORY }, 404, 'group'],
      [{ kind: 'add-server', group: 'dev', server: { name: 'notes' } }, 409, 'name'],
      [{ kind: 'remove-group', group: 'dev', servers: false }, 409, 'group'],
    ];
    for (const [edit, status, field] of refusals) {
      expect(() => editConfig(TEXT, edit)).toThrow(EditError);
      expect(() => editConfig(TEXT, edit)).toThrow(expect.objectContaining({ status, field }) as Error);
    }
    expect(read(editConfig(TEXT, { kind: 'remove-group', group: 'dev', servers: true })).groups).toHaveLength(
      1,
    );
  });

  it('that would reach through an alias is refused rather than made in two places', () => {
    const text = `version: 1\ngroups:\n  - name: a\n    servers: &all [{ name: x, url: https://x.example }]\n  - name: b\n    servers: *all\n`;
    expect(() => editConfig(text, { kind: 'add-server', group: 'b', server: MEMORY })).toThrow(/by hand/);
  });

  it('promotes what a server is, without the credentials of where it was', () => {
    const text = editConfig(TEXT, {
      kind: 'promote-server',
      server: 'dev:notes',
      group: 'prod',
      changes: { env: { KEY: '${secret:notes-prod}' } },
    });
    const [dev, prod] = read(text).groups;
    expect(prod?.servers[0]).toEqual({ ...dev?.servers[0], env: { KEY: '${secret:notes-prod}' } });
  });
});

describe('the difference of two configurations', () => {
  it('names what changed by name, and repeats no credential that is written out', () => {
    const before = read(TEXT);
    const after = read(TEXT.replace("'${secret:notes}'", 'hunter2').replace('name: prod', 'name: live'));
    expect(differences(before, after)).toMatchObject([
      { kind: 'changed', path: '.groups[dev].servers[notes].env.KEY', after: '"•••"' },
      { kind: 'removed', path: '.groups[prod]' },
      { kind: 'added', path: '.groups[live]' },
    ]);
  });

  it('tells which keys wait for the next start', () => {
    const after = read(
      `${TEXT}listen: { port: 1 }\nstorage: { data: ./other }\ntelemetry: { retention: 1d }\n`,
    );
    expect(needRestart(read(TEXT), after)).toEqual(['listen', 'storage']);
  });
});

const PATIENCE = { timeout: 15_000 };
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'toolgate-unit-'));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function fileSource(seen = revisionOf(TEXT)): Promise<{ file: string; source: ConfigSource }> {
  const file = join(await folder(), 'toolgate.yaml');
  await writeFile(file, TEXT, { mode: 0o640 });
  const source = openFileConfigSource(file, `${file}.bak`, seen);
  closing.push(() => source.close());
  return { file, source };
}

describe('a configuration in a file', () => {
  it('is replaced whole, with its mode kept and the text before beside it', async () => {
    const { file, source } = await fileSource();
    const kept = await source.replace('version: 1\n', revisionOf(TEXT));
    expect(kept.revision).toBe(revisionOf('version: 1\n'));
    expect(await readFile(file, 'utf8')).toBe('version: 1\n');
    expect(await readFile(`${file}.bak`, 'utf8')).toBe(TEXT);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
  });

  it('is not replaced when somebody changed it, nor where it is gone', async () => {
    const { file, source } = await fileSource();
    await writeFile(file, `${TEXT}# by hand\n`);
    await expect(source.replace('version: 1\n', revisionOf(TEXT))).rejects.toThrow(ConflictError);
    expect(await readFile(file, 'utf8')).toContain('# by hand');
    await rm(file);
    await expect(source.replace('version: 1\n', revisionOf(TEXT))).rejects.toThrow(UnwritableError);
  });

  it('tells of a change that was made before anybody looked', async () => {
    const { source } = await fileSource(revisionOf('what was read at the start'));
    let told = 0;
    source.onChange(() => told++);
    await expect.poll(() => told, PATIENCE).toBe(1);
  });
});

async function world(
  source: Partial<ConfigSource>,
): Promise<{ configuration: Configuration; applied: Config[] }> {
  const store = await openConfigStore(join(await folder(), 'config.json'));
  closing.push(() => store.close());
  const applied: Config[] = [];
  const configuration = createConfiguration({
    source: {
      read: () => Promise.resolve({ text: TEXT, revision: revisionOf(TEXT) }),
      replace: (text) => Promise.resolve({ text, revision: revisionOf(text) }),
      onChange: () => () => undefined,
      close: () => undefined,
      ...source,
    },
    consents: createConsents(store, () => 0),
    initial: { text: TEXT, revision: revisionOf(TEXT), config: read(TEXT) },
    apply: (config) => void applied.push(config),
    onFollowed: () => undefined,
  });
  return { configuration, applied };
}

describe('a change of the configuration', () => {
  const add: Edit = { kind: 'add-server', group: 'dev', server: MEMORY };
  const options = { consents: [], by: 'user:owner', dryRun: false };

  it('with a new command wants consent to exactly that command, once', async () => {
    const { configuration, applied } = await world({});
    const refused = await configuration.edit(add, options).catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 409, rule: 'launch-consent', launches: [{ command: 'npx' }] });
    expect(applied).toEqual([]);
    const consents = (refused as { launches: { consent: string }[] }).launches.map(({ consent }) => consent);
    await configuration.edit(add, { ...options, consents });
    const other: Edit = { kind: 'edit-server', server: 'dev:memory', changes: { args: ['-y', 'other'] } };
    await expect(configuration.edit(other, { ...options, consents })).rejects.toThrow(/npx -y other/);
    await configuration.edit({ kind: 'remove-server', server: 'dev:memory' }, options);
    await configuration.edit(add, options);
    expect(applied).toHaveLength(3);
  });

  it('that cannot be written says so, and is not in force', async () => {
    const replace = (): Promise<never> => Promise.reject(new UnwritableError('it cannot be written here'));
    const { configuration, applied } = await world({ replace });
    const edit: Edit = { kind: 'edit-group', group: 'dev', changes: { description: 'x' } };
    await expect(configuration.edit(edit, options)).rejects.toMatchObject({
      status: 409,
      rule: 'config-read-only',
      message: 'it cannot be written here',
    });
    expect(applied).toEqual([]);
    expect(configuration.current().text).toBe(TEXT);
  });

  it('is made to what the one before it left', async () => {
    const { configuration } = await world({});
    const names = ['a', 'b', 'c'];
    await Promise.all(
      names.map((name) => configuration.edit({ kind: 'add-group', group: { name } }, options)),
    );
    expect(configuration.current().config.groups.map(({ name }) => name)).toEqual(['dev', 'prod', ...names]);
  });
});
