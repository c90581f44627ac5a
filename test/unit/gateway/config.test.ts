import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIssue, parseConfig, type ConfigIssue } from '../../../gateway/config/load.ts';
import { unresolvedReferences } from '../../../gateway/config/unresolved.ts';
import { parsed } from './support.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

/** A configuration whose one server is written as given, on line 5. */
const withServer = (server: string): string =>
  `version: 1\ngroups:\n  - name: g\n    servers:\n      - ${server}\n`;

function issues(text: string): readonly ConfigIssue[] {
  const result = parseConfig(text);
  return result.ok ? [] : result.issues;
}

describe('the language', () => {
  it.each(globSync('examples/**/*.yaml', { cwd: ROOT }))('takes %s', (file) => {
    expect(issues(readFileSync(join(ROOT, file), 'utf8'))).toEqual([]);
  });

  it('fills in defaults, down to the timeouts of a server', () => {
    const config = parsed(withServer('{ name: s, command: node }'));
    expect(config).toMatchObject({
      tenant: { name: 'toolgate', aliases: [] },
      listen: { host: '127.0.0.1', port: 8665 },
      storage: { data: './data' },
      models: { providers: [], aliases: {} },
      telemetry: { retention: 30 * 86_400_000 },
    });
    expect(config.groups[0]?.servers[0]).toMatchObject({
      args: [],
      env: {},
      auth: { type: 'none' },
      allowPrivateAddress: false,
      timeouts: { connect: 10_000, call: 60_000 },
      unlistedTools: 'allow',
      disabled: false,
    });
  });

  it('needs its version and nothing else', () => {
    expect(issues('version: 1')).toEqual([]);
    for (const text of ['', 'version: 2', 'version: "1"', '[]', 'toolgate']) {
      expect(issues(text), text).not.toEqual([]);
    }
  });

  it('names the references in fixed arguments that have no value', () => {
    const config = parsed(
      withServer("{ name: s, command: x, tools: [{ match: a, fixed: { b: [{ c: '${secret:NONE}' }] } }] }"),
    );
    expect(unresolvedReferences(config, () => undefined)).toEqual([
      { place: 'g:s tools[0].fixed', reason: expect.stringContaining('${secret:NONE}') },
    ]);
  });

  it.each([
    ['neither url nor command', '{ name: s }', 'url'],
    ['args without a command', '{ name: s, url: "https://a.example", args: [x] }', 'args'],
    ['env without a command', '{ name: s, url: "https://a.example", env: { A: b } }', 'env'],
    ['a cwd without a command', '{ name: s, url: "https://a.example", cwd: x }', 'cwd'],
    ['headers without a url', '{ name: s, command: x, auth: { type: header, headers: { A: b } } }', 'auth'],
    [
      'a protocol where none is spoken',
      '{ name: s, openapi: a, baseUrl: "https://a.example", protocol: legacy }',
      'protocol',
    ],
    ['an API without its base', '{ name: s, openapi: ./api.json }', 'baseUrl'],
    ['a base without an API', '{ name: s, command: x, baseUrl: "https://a.example" }', 'baseUrl'],
    [
      'an API and a url',
      '{ name: s, openapi: api.json, baseUrl: "https://a.example", url: "https://a.example" }',
      'openapi',
    ],
    [
      'a document of another scheme',
      '{ name: s, openapi: "ftp://a/b", baseUrl: "https://a.example" }',
      'openapi',
    ],
    [
      'a password in a document’s address',
      '{ name: s, openapi: "https://me:pw@a.example/x", baseUrl: "https://a.example" }',
      'openapi',
    ],
    [
      'a reference in a document’s path',
      '{ name: s, openapi: "${env:A}/x", baseUrl: "https://a.example" }',
      'openapi',
    ],
    ['another scheme', '{ name: s, url: "file:///etc/passwd" }', 'url'],
    ['no address', '{ name: s, url: nowhere }', 'url'],
    ['a password in the address', '{ name: s, url: "https://me:hunter2@a.example/mcp" }', 'url'],
    ['a reference in the address', '{ name: s, url: "https://a.example/${env:KEY}" }', 'url'],
    ['an effect that is none', '{ name: s, command: x, unlistedTools: maybe }', 'unlistedTools'],
  ])('refuses %s', (_what, server, field) => {
    expect(issues(withServer(server)).map(({ path }) => path)).toContain(`groups[0].servers[0].${field}`);
  });

  it.each(['a__b', '-a', 'a-', '.', '', 'a b', 'a:b', 'a/b', 'ü', 'x'.repeat(41)])(
    'refuses the name %j, which would not fit addresses or tool names',
    (name) => {
      expect(issues(withServer(`{ name: ${JSON.stringify(name)}, command: x }`))).not.toEqual([]);
    },
  );

  it('reports all that is wrong at once', () => {
    const text = 'version: 1\nlisten: { prt: 1 }\ngroups: [{ nme: a }]\nmodel: {}\n';
    expect(issues(text).map(({ path }) => path)).toEqual(
      expect.arrayContaining(['listen.prt', 'groups[0].nme', 'groups[0].name', 'model']),
    );
  });
});

describe('an unknown key', () => {
  it.each([
    ['version: 1\ngroup: []', 'group', 'groups', [2, 1]],
    ['version: 1\ntenant: { nam: a }', 'tenant.nam', 'name', [2, 11]],
    ['version: 1\nlisten: { prot: 8665 }', 'listen.prot', 'port', [2, 11]],
    ['version: 1\nstorage: { Data: x }', 'storage.Data', 'data', [2, 12]],
    ['version: 1\ntelemetry: { retension: 3d }', 'telemetry.retension', 'retention', [2, 14]],
    ['version: 1\nmodels: { provider: [] }', 'models.provider', 'providers', [2, 11]],
    [
      'version: 1\nmodels:\n  providers:\n    - { name: a, type: demo, apikey: x }',
      'models.providers[0].apikey',
      'apiKey',
      [4, 30],
    ],
    ['version: 1\ngroups:\n  - { name: a, server: [] }', 'groups[0].server', 'servers', [3, 16]],
    [withServer('{ name: s, comand: x }'), 'groups[0].servers[0].comand', 'command', [5, 20]],
    [
      withServer('{ name: s, command: x, timeouts: { cal: 5s } }'),
      'groups[0].servers[0].timeouts.cal',
      'call',
      [5, 44],
    ],
    [
      withServer('{ name: s, command: x, tools: [{ mach: a, effect: deny }] }'),
      'groups[0].servers[0].tools[0].mach',
      'match',
      [5, 42],
    ],
    [
      withServer('{ name: s, url: "https://a.example", auth: { type: header, header: {} } }'),
      'groups[0].servers[0].auth.header',
      'headers',
      [5, 68],
    ],
  ] as const)('%j names its place and the nearest known one', (text, path, nearest, [line, column]) => {
    expect(issues(text)).toContainEqual({
      path,
      line,
      column,
      message: `unknown key; did you mean "${nearest}"?`,
    });
  });

  it('is judged by the type that stands beside it', () => {
    const text = withServer('{ name: s, url: "https://a.example", auth: { type: none, headers: {} } }');
    expect(issues(text).map(({ message }) => message)).toEqual(['unknown key; known here: type']);
  });

  it('that resembles none names all that are known', () => {
    expect(issues('version: 1\nzzzzzzzz: 1')[0]?.message).toContain('known here: version, tenant, listen');
  });

  it('is an error also when nothing stands behind it', () => {
    expect(issues(withServer('{ name: s, command: x, unlistedTool: }'))).toMatchObject([
      { path: 'groups[0].servers[0].unlistedTool', message: expect.stringContaining('"unlistedTools"') },
    ]);
  });

  it.each(['__proto__', 'constructor', 'toString'])('%s is no exception', (key) => {
    expect(issues(`version: 1\n${key}: 1`)).toMatchObject([{ path: key }]);
  });
});

describe('a key with nothing behind it', () => {
  it('is a key left out, at every level', () => {
    const config = parsed('version: 1\ntenant:\nmodels:\n  providers:\ngroups:\n  - name: g\n    servers:\n');
    expect(config).toMatchObject({
      tenant: { name: 'toolgate' },
      models: { providers: [] },
      groups: [{ name: 'g', servers: [] }],
    });
  });

  it('is an error among headers and variables, where it would send a call without its credential', () => {
    const auth = '{ type: header, headers: { Authorization: } }';
    expect(issues(withServer(`{ name: s, url: "https://a.example", auth: ${auth} }`))).toMatchObject([
      { path: 'groups[0].servers[0].auth.headers.Authorization' },
    ]);
    expect(issues(withServer('{ name: s, command: x, env: { TOKEN: } }'))).toMatchObject([
      { path: 'groups[0].servers[0].env.TOKEN' },
    ]);
  });

  it('is an error as an element of a list', () => {
    expect(issues('version: 1\ngroups: [null]')).toMatchObject([{ path: 'groups[0]' }]);
  });
});

describe('places', () => {
  it('of an error of YAML itself', () => {
    expect(issues('version: 1\ngroups: [\n')).toMatchObject([{ path: '', line: expect.any(Number) }]);
    expect(issues('version: 1\nversion: 1')).toMatchObject([{ line: 2, column: 1 }]);
    expect(issues('version: 1\n---\nversion: 1')).not.toEqual([]);
  });

  it('of a missing key is the object that lacks it', () => {
    expect(issues('version: 1\ngroups:\n  - description: x\n')).toMatchObject([
      { path: 'groups[0].name', line: 3, column: 5 },
    ]);
  });

  it('make one line a person can click', () => {
    const [issue] = issues(withServer('{ name: s, comand: x }'));
    expect(formatIssue('toolgate.yaml', issue!)).toBe(
      'toolgate.yaml:5:20 groups[0].servers[0].comand: unknown key; did you mean "command"?',
    );
    expect(formatIssue('toolgate.yaml', { path: '', message: 'broken' })).toBe('toolgate.yaml broken');
  });
});

describe('names', () => {
  it.each([
    ['groups', 'groups:\n  - { name: a }\n  - { name: a }', 'groups[1]'],
    [
      'servers of a group',
      'groups: [{ name: g, servers: [{ name: a, command: x }, { name: b, command: x }, { name: a, command: x }] }]',
      'groups[0].servers[2]',
    ],
    [
      'providers',
      'models: { providers: [{ name: a, type: demo }, { name: a, type: demo }] }',
      'models.providers[1]',
    ],
    ['tenant aliases', 'tenant: { name: t, aliases: [a, a] }', 'tenant.aliases[1]'],
    ['the tenant and an alias', 'tenant: { name: t, aliases: [a, t] }', 'tenant.aliases[1]'],
  ])('of %s are unique', (_what, text, path) => {
    expect(issues(`version: 1\n${text}`)).toMatchObject([
      { path, message: expect.stringContaining('taken') },
    ]);
  });

  it('of servers may repeat across groups', () => {
    const group = (name: string): string => `{ name: ${name}, servers: [{ name: a, command: x }] }`;
    expect(issues(`version: 1\ngroups: [${group('dev')}, ${group('prod')}]`)).toEqual([]);
  });
});

describe('anchors', () => {
  it('are expanded', () => {
    const text =
      'version: 1\ngroups:\n  - { name: a, servers: &s [{ name: x, command: y }] }\n  - { name: b, servers: *s }\n';
    expect(parsed(text).groups.map(({ servers }) => servers[0]?.command)).toEqual(['y', 'y']);
  });

  it('do not expand without bound', () => {
    const tenfold = (of: string): string => `[${Array.from({ length: 10 }, () => `*${of}`).join(', ')}]`;
    const bomb = ['b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].reduce(
      ({ text, last }, name) => ({ text: `${text}${name}: &${name} ${tenfold(last)}\n`, last: name }),
      { text: 'version: 1\na: &a [x, x, x, x, x, x, x, x, x, x]\n', last: 'a' },
    ).text;
    expect(issues(bomb)).toMatchObject([{ message: expect.stringContaining('alias') }]);
  });

  it('that are missing or hold themselves are issues, not crashes', () => {
    expect(issues('version: 1\ngroups: *nowhere')).toMatchObject([
      { message: expect.stringContaining('nowhere') },
    ]);
    expect(issues('version: 1\ngroups: &g [{ name: a, servers: *g }]')).not.toEqual([]);
  });
});

describe('a duration', () => {
  const call = (text: string): number | undefined => {
    const result = parseConfig(withServer(`{ name: s, command: x, timeouts: { call: ${text} } }`));
    return result.ok ? result.config.groups[0]?.servers[0]?.timeouts.call : undefined;
  };

  it('is a number and a unit', () => {
    expect(['500ms', '30s', '15m', '2h', '1d', '1.5s'].map(call)).toEqual([
      500, 30_000, 900_000, 7_200_000, 86_400_000, 1_500,
    ]);
  });

  it.each(['30', '"30"', 's', '30 s', '-1s', '1e3s', '1w', '""', 'soon'])('is not %s', (text) => {
    expect(call(text)).toBeUndefined();
  });

  it('to wait for is neither nothing nor more than a timer can hold', () => {
    expect(['0s', '25h', '30d'].map(call)).toEqual([undefined, undefined, undefined]);
    expect(parsed('version: 1\ntelemetry: { retention: 3650d }').telemetry.retention).toBe(3650 * 86_400_000);
    expect(issues('version: 1\ntelemetry: { retention: 99999999999d }')).toMatchObject([
      { path: 'telemetry.retention', message: expect.stringContaining('36500d') },
    ]);
  });
});

it('parsing never throws, whatever the text', () => {
  const piece = fc.constantFrom(
    'version: 1\n',
    'groups:\n',
    '  - ',
    'name: a\n',
    'servers: ',
    '&a ',
    '*a ',
    '[',
    ']',
    '{',
    '}',
    '!!set ',
    '? ',
    '~\n',
    '"',
    ': ',
    '\n',
    '    ',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      expect(parseConfig(`version: 1\n${pieces.join('')}`).ok).toBeTypeOf('boolean');
    }),
    { numRuns: 300 },
  );
});

it('references without a value are found with the server or provider that needs them', () => {
  const config = parsed(
    [
      'version: 1',
      'groups:',
      '  - name: g',
      '    servers:',
      '      - { name: a, command: "${env:C}", args: ["--x=${env:A}"], env: { K: "${secret:k}" }, cwd: "${env:D}" }',
      '      - { name: b, url: "https://a.example", auth: { type: header, headers: { X: "${file:f}" } } }',
      'models: { providers: [{ name: p, type: openai, apiKey: "${env:P" }] }',
    ].join('\n'),
  );
  const missing = unresolvedReferences(config, () => undefined);
  expect(missing.map(({ place, reason }) => `${place} ${reason.split(' ')[0]!}`)).toEqual([
    'g:a ${env:C}',
    'g:a ${env:D}',
    'g:a ${env:A}',
    'g:a ${secret:k}',
    'g:b ${file:f}',
    'provider p ${env:P',
  ]);
  expect(unresolvedReferences(config, () => 'v').map(({ place }) => place)).toEqual(['provider p']);
});
