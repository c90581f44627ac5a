import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExportBundle } from '../../../gateway/contract/admin.ts';
import { parseConfig } from '../../../gateway/config/load.ts';
import { unresolvedReferences } from '../../../gateway/config/unresolved.ts';
import { buildExport } from '../../../gateway/export/bundle.ts';
import { parsed } from './support.ts';

const PROGRAM = '/opt/toolgate/dist/gateway.js';

const bundle = (text: string, exists: (path: string) => boolean = () => false): ExportBundle =>
  buildExport({ text, config: parsed(text), folder: '/home/me/registry', program: PROGRAM, exists });
const fileOf = ({ files }: ExportBundle, name: string): string =>
  files.find(({ path }) => path === name)!.content;
const yamlOf = (made: ExportBundle): string => fileOf(made, 'toolgate.yaml');
const withServer = (server: string): string =>
  `version: 1\ngroups:\n  - name: prod\n    servers:\n      - ${server}\n`;

const LITERALS: [string, string, string][] = [
  [
    'a header',
    '{ name: hub, url: "https://h.example", auth: { type: header, headers: { Authorization: "SECRET" } } }',
    'PROD_HUB_AUTHORIZATION',
  ],
  [
    'a bearer token',
    '{ name: hub, url: "https://h.example", auth: { type: header, headers: { authorization: "Bearer SECRET" } } }',
    'PROD_HUB_AUTHORIZATION',
  ],
  [
    'a header of its own name',
    '{ name: hub, url: "https://h.example", auth: { type: header, headers: { X-Thing: SECRET } } }',
    'PROD_HUB_X_THING',
  ],
  ['a variable', '{ name: s, command: x, env: { API_TOKEN: SECRET } }', 'PROD_S_API_TOKEN'],
  ['a key', '{ name: s, command: x, env: { openaiApiKey: SECRET } }', 'PROD_S_OPENAIAPIKEY'],
  ['a personal access token', '{ name: s, command: x, env: { GITHUB_PAT: SECRET } }', 'PROD_S_GITHUB_PAT'],
  [
    'an address with a password',
    '{ name: s, command: x, env: { DATABASE: "postgres://me:SECRET@db/x" } }',
    'PROD_S_DATABASE',
  ],
  ['a token by its looks', '{ name: s, command: x, env: { THING: ghp_SECRET } }', 'PROD_S_THING'],
  ['a flag with its value', '{ name: s, command: x, args: [--api-key=SECRET] }', 'PROD_S_API_KEY'],
  ['a flag before its value', '{ name: s, command: x, args: [--token, SECRET] }', 'PROD_S_TOKEN'],
  [
    'an argument by its looks',
    '{ name: s, command: x, args: ["mongodb://u:SECRET@m/db"] }',
    'PROD_S_ARGUMENT',
  ],
  [
    'a token beside a reference',
    '{ name: s, command: x, env: { THING: "${env:A} ghp_SECRET" } }',
    'PROD_S_THING',
  ],
];

describe('no secret leaves with an export', () => {
  it.each(LITERALS)('that is %s', (_what, server, variable) => {
    const secret = 'canary0123456789canary';
    const made = bundle(withServer(server.replace('SECRET', secret)));
    expect(JSON.stringify(made)).not.toContain(secret);
    expect(yamlOf(made)).toContain(`\${env:${variable}}`);
    expect(fileOf(made, '.env.example')).toContain(`${variable}=\n`);
    expect(fileOf(made, 'README.md')).toContain(variable);
    expect(made.notes.join('\n')).toContain(`\${env:${variable}}, which you must set`);
  });

  it('whatever it is made of', () => {
    const secret = fc
      .string({ unit: 'grapheme', minLength: 12, maxLength: 30 })
      .filter(
        (text) => !text.includes('${') && text.trim() === text && !/^(bearer|basic|token) /i.test(text),
      );
    fc.assert(
      fc.property(secret, (value) => {
        const server = {
          name: 's',
          url: 'https://h.example',
          command: 'x',
          env: { TOKEN: value },
          args: ['--password', `x${value}`],
          auth: { type: 'header', headers: { A: `Bearer ${value}` } },
        };
        const text = JSON.stringify({
          version: 1,
          groups: [{ name: 'prod', servers: [server] }],
          models: { providers: [{ name: 'openai', type: 'openai', apiKey: value }] },
        });
        const exported = parsed(yamlOf(bundle(text)));
        expect(exported.groups[0]!.servers[0]).toMatchObject({
          env: { TOKEN: '${env:PROD_S_TOKEN}' },
          args: ['--password', '${env:PROD_S_PASSWORD}'],
          auth: { headers: { A: 'Bearer ${env:PROD_S_A}' } },
        });
        expect(exported.models.providers[0]!.apiKey).toBe('${env:OPENAI_API_KEY}');
      }),
    );
  });

  it('by an alias', () => {
    const text = withServer('{ name: a, command: x, env: { SAFE: &k canary, TOKEN: *k } }');
    expect(JSON.stringify(bundle(text))).not.toContain('canary');
  });

  it('in an address: what cannot be a reference is left out', () => {
    const made = bundle(withServer('{ name: a, url: "https://h.example/mcp?api_key=canary&region=eu" }'));
    expect(JSON.stringify(made)).not.toContain('canary');
    expect(parsed(yamlOf(made)).groups[0]!.servers[0]!.url).toBe('https://h.example/mcp?region=eu');
    expect(made.notes).toEqual([
      'The address of prod:a held a credential in "api_key"; it was left out, and you must supply it.',
    ]);
  });

  it('in a comment without a word', () => {
    const text = `${withServer('{ name: a, command: x }')}# - { name: b, apiKey: sk-abcdefghijklmnop }\n`;
    expect(bundle(text).notes).toEqual([
      'Line 7 of toolgate.yaml may still hold a credential; look at it before you share it.',
    ]);
  });

  it('two that would share a variable get one each', () => {
    const auth = (value: string): string => `auth: { type: header, headers: { Key: ${value} } }`;
    const text = `version: 1\ngroups:\n  - name: g\n    servers:\n      - { name: a-b, url: "https://1.example", ${auth('one')} }\n      - { name: a.b, url: "https://2.example", ${auth('two')} }\n`;
    const servers = parsed(yamlOf(bundle(text))).groups[0]!.servers;
    expect(servers.map(({ auth }) => auth.type === 'header' && auth.headers['Key'])).toEqual([
      '${env:G_A_B_KEY}',
      '${env:G_A_B_KEY_2}',
    ]);
  });

  it('gets a variable that a shell can set, whatever the group is called', () => {
    const text = withServer('{ name: s, command: x, env: { TOKEN: canary } }').replace('prod', '2nd.line');
    expect(fileOf(bundle(text), '.env.example')).toBe('_2ND_LINE_S_TOKEN=\n');
  });

  it('takes no variable that means something else already', () => {
    const text = withServer('{ name: s, command: x, env: { TOKEN: canary, OTHER: "${env:PROD_S_TOKEN}" } }');
    expect(parsed(yamlOf(bundle(text))).groups[0]!.servers[0]!.env).toEqual({
      TOKEN: '${env:PROD_S_TOKEN_2}',
      OTHER: '${env:PROD_S_TOKEN}',
    });
  });
});

describe('an export', () => {
  const TEXT = `# Our registry
version: 1
tenant: { name: acme } # the tenant
groups:
  - name: prod
    # What everyone uses
    servers:
      - name: hub # the hub
        url: https://hub.example/mcp
        auth: { type: header, headers: { Authorization: 'Bearer \${secret:hub key}' } }
      - name: local
        command: node
        args: ['\${env:TOOLGATE_HOME}/x.js', --verbose, --author, me]
        env: { MODE: fast, KEYBOARD: qwertz, CERT: '\${file:certs/ca.pem}', GIT_AUTHOR_NAME: me, EMPTY_TOKEN: '' }
models:
  providers:
    - { name: openai, type: openai, apiKey: '\${env:OPENAI_API_KEY}' }
`;

  it('keeps comments, references and all that is no secret', () => {
    const yaml = yamlOf(bundle(TEXT));
    for (const comment of ['# Our registry', '# the tenant', '# What everyone uses', '# the hub']) {
      expect(yaml).toContain(comment);
    }
    expect(parsed(yaml)).toEqual(parsed(TEXT));
  });

  it('names what must be set and what must be brought, and no more', () => {
    const made = bundle(TEXT);
    expect(fileOf(made, '.env.example')).toBe('OPENAI_API_KEY=\nTOOLGATE_SECRET_HUB_KEY=\n');
    expect(made.notes).toEqual([
      'A value is read from the file certs/ca.pem, which is not part of the export; put it there.',
    ]);
    expect(fileOf(made, 'README.md')).toContain('certs/ca.pem');
    expect(fileOf(made, '.gitignore')).toContain('.env\n');
  });

  it('needs no value that its .env.example does not name', () => {
    const made = bundle(TEXT);
    const set = new Set(
      fileOf(made, '.env.example')
        .split('\n')
        .map((line) => line.replace('=', '')),
    );
    const missing = unresolvedReferences(parsed(yamlOf(made)), (kind, name) => {
      if (kind === 'file' || name === 'TOOLGATE_HOME') return 'x';
      const variable = kind === 'env' ? name : `TOOLGATE_SECRET_${name.replaceAll(' ', '_').toUpperCase()}`;
      return set.has(variable) ? 'x' : undefined;
    });
    expect(missing).toEqual([]);
  });

  it.each(['examples/demo/toolgate.yaml', 'examples/starter/toolgate.yaml'])(
    'of %s is right again',
    async (file) => {
      const text = await readFile(resolve(import.meta.dirname, '../../..', file), 'utf8');
      const made = bundle(text);
      expect(parseConfig(yamlOf(made)).ok).toBe(true);
      expect(parsed(yamlOf(made)).groups).toEqual(parsed(text).groups);
    },
  );

  it('keeps what was started by a relative path where it is, and says so', () => {
    const server = '{ name: s, command: node, args: [./server.mjs] }';
    const exists = (path: string): boolean => path === '/home/me/registry/server.mjs';
    const made = bundle(withServer(server), exists);
    expect(parsed(yamlOf(made)).groups[0]!.servers[0]!.cwd).toBe('/home/me/registry');
    expect(made.notes).toEqual([
      'prod:s runs files of /home/me/registry; change its cwd on another machine.',
    ]);
    expect(parsed(yamlOf(bundle(withServer(server)))).groups[0]!.servers[0]!.cwd).toBeUndefined();
    const inside = bundle(withServer('{ name: s, command: node, cwd: tools }'));
    expect(parsed(yamlOf(inside)).groups[0]!.servers[0]!.cwd).toBe('/home/me/registry/tools');
  });

  it('keeps its data in its own folder', () => {
    const data = (written: string): string =>
      parsed(yamlOf(bundle(`version: 1\nstorage: { data: ${written} }`))).storage.data;
    expect(data('../../data')).toBe('./data');
    expect(data('a/../../data')).toBe('./data');
    expect(data('./state')).toBe('./state');
    expect(data('/var/lib/toolgate')).toBe('/var/lib/toolgate');
    expect(bundle('version: 1\nstorage: { data: ../d }').notes).toEqual([
      "storage.data was ../d; it is now ./data, in the export's own folder.",
    ]);
  });

  it('is made also of a configuration whose references are mistyped: validate is who says so', () => {
    const text = withServer('{ name: s, command: x, args: ["${HOME}"], env: { TOKEN: "${TOKEN}" } }');
    expect(parsed(yamlOf(bundle(text))).groups).toEqual(parsed(text).groups);
  });
});

describe('start.sh', () => {
  it('runs the program it was made with, wherever that is, and passes arguments and .env on', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'toolgate-unit $HOME `x` "y" {z} '));
    const program = join(dir, 'gateway.js');
    await writeFile(program, 'console.log(JSON.stringify([process.argv.slice(2), process.env.FROM_FILE]))');
    const text = 'version: 1';
    const { files } = buildExport({ text, config: parsed(text), folder: dir, program, exists: () => false });
    const script = files.find(({ path }) => path === 'start.sh')!;
    expect(script.executable).toBe(true);
    const path = join(dir, 'start.sh');
    await writeFile(path, script.content);
    await chmod(path, 0o755);
    await writeFile(join(dir, '.env'), 'FROM_FILE="a b"\n');
    const { stdout } = await promisify(execFile)(path, ['--port', '9 0'], {
      env: { PATH: `${join(process.execPath, '..')}:/usr/bin:/bin` },
    });
    expect(JSON.parse(stdout)).toEqual([
      ['serve', '--config', join(dir, 'toolgate.yaml'), '--port', '9 0'],
      'a b',
    ]);
  });
});

describe('servers that are made of something else', () => {
  const text = `version: 1
groups:
  - name: prod
    servers:
      - { name: pets, openapi: docs/pets.yaml, baseUrl: "https://pets.example/v1?api_key=canary0123456789" }
      - name: gate
        command: x
        tools: [{ match: add, rename: sum, fixed: { tenant: acme, apiKey: canary0123456789 }, defaults: { limit: 5 }, annotations: { readOnlyHint: true } }]
      - { name: mixed, virtual: [{ server: "prod:gate", tools: [sum], rename: { sum: total } }] }
`;
  it('leave with an export as they are, and with a document’s place', () => {
    const made = bundle(text);
    const result = parseConfig(yamlOf(made));
    const servers = result.ok ? result.config.groups[0]!.servers : [];
    expect(servers[0]).toMatchObject({
      openapi: expect.stringMatching(/^\/.*docs\/pets\.yaml$/),
      baseUrl: 'https://pets.example/v1',
    });
    expect(servers[1]!.tools[0]).toMatchObject({
      rename: 'sum',
      fixed: { tenant: 'acme', apiKey: '${env:PROD_GATE_APIKEY}' },
      defaults: { limit: 5 },
    });
    expect(servers[2]!.virtual).toEqual([{ server: 'prod:gate', tools: ['sum'], rename: { sum: 'total' } }]);
    expect(JSON.stringify(made)).not.toContain('canary');
    const readme = fileOf(made, 'README.md');
    expect(readme).toContain('| `toolgate:prod:mixed` | tools of `prod:gate` |');
    expect(readme).toContain('| `toolgate:prod:pets` | https://pets.example/v1 (OpenAPI) |');
    expect(readme).toMatch(/prod:pets reads \/.*docs\/pets\.yaml; take it along/);
  });
});
