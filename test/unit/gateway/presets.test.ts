import { expect, it } from 'vitest';
import { credentialsInQuery, writtenCredentials } from '../../../gateway/config/credentials.ts';
import { serverSchema } from '../../../gateway/config/schema.ts';
import { presetSchema } from '../../../gateway/contract/presets.ts';
import { PRESETS, searchPresets } from '../../../gateway/registry/presets.ts';
import { presetOf } from '../../../gateway/registry/public-registry.ts';

it('P80 every preset is a good configuration without a credential in it', () => {
  const names = PRESETS.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)].sort());
  for (const preset of PRESETS) {
    presetSchema.parse(preset);
    const server = serverSchema.parse(preset.server);
    expect(server.name).toBe(preset.name);
    expect(writtenCredentials(server)).toEqual([]);
    if (server.url !== undefined) {
      expect(new URL(server.url).protocol).toBe('https:');
      expect(credentialsInQuery(new URL(server.url))).toEqual([]);
    }
    const secret = `\${secret:${preset.credential?.secret}}`;
    expect(JSON.stringify(preset.server).includes(secret), preset.name).toBe(
      preset.auth === 'header' || preset.auth === 'env',
    );
    if (preset.auth === 'oauth') expect(preset.server.auth).toEqual({ type: 'oauth2' });
  }
  for (const wanted of [
    'github',
    'slack',
    'atlassian',
    'notion',
    'linear',
    'sentry',
    'stripe',
    'huggingface',
  ])
    expect(names).toContain(wanted);
  expect(searchPresets('DATABASE queries').map(({ name }) => name)).toEqual(['mongodb', 'postgres']);
});

it("a registry's server becomes one of ours: remote first, then npm, PyPI and OCI", () => {
  const of = (server: object): Record<string, unknown> =>
    presetOf({ name: 'io.example/one', description: '', version: '1.0.0', ...server }).server;
  const npm = {
    registryType: 'npm',
    identifier: '@example/one',
    version: '1.2.3',
    environmentVariables: [
      { name: 'API_KEY', isSecret: true, isRequired: true },
      { name: 'MODE', default: 'safe' },
      { name: 'OPTIONAL' },
    ],
    packageArguments: [
      { type: 'positional', value: 'start' },
      { type: 'named', name: '--level', default: '2' },
    ],
  };
  expect(of({ packages: [npm] })).toEqual({
    name: 'one',
    command: 'npx',
    args: ['-y', '@example/one@1.2.3', 'start', '--level=2'],
    env: { API_KEY: '${secret:one-API-KEY}', MODE: 'safe' },
  });
  const headers = [{ name: 'Authorization', value: 'Bearer {token}', isRequired: true, isSecret: true }];
  const remotes = [
    { type: 'sse', url: 'https://a.example/sse' },
    { type: 'streamable-http', url: 'https://a.example/mcp', headers },
  ];
  expect(of({ packages: [npm], remotes })).toMatchObject({
    url: 'https://a.example/mcp',
    auth: { headers: { Authorization: 'Bearer ${secret:one-Authorization}' } },
  });
  expect(of({ packages: [{ ...npm, registryType: 'pypi', identifier: 'one-py' }] })['args']).toEqual(
    expect.arrayContaining(['one-py@1.2.3']),
  );
  expect(of({ packages: [{ ...npm, registryType: 'oci', identifier: 'example/one:1' }] })['args']).toEqual([
    ...['run', '-i', '--rm', '-e', 'API_KEY', '-e', 'MODE', 'example/one:1', 'start', '--level=2'],
  ]);
  for (const [server, why] of [
    [{}, 'neither'],
    [{ remotes: [{ type: 'streamable-http', url: 'https://{tenant}.example/mcp' }] }, 'fill in'],
    [{ packages: [{ ...npm, identifier: '--call=evil' }] }, 'no name'],
    [
      {
        packages: [
          { ...npm, packageArguments: [{ type: 'positional', valueHint: 'dir', isRequired: true }] },
        ],
      },
      'dir',
    ],
    [{ packages: [{ ...npm, registryType: 'mcpb' }] }, 'neither'],
    [{ packages: [{ ...npm, registryType: 'constructor' }] }, 'neither'],
  ] as const)
    expect(() => of(server), why).toThrow(why);
});
