import { expect, it } from 'vitest';
import { parseConfig } from '../../../gateway/config/load.ts';
import { exportReadme } from '../../../gateway/export/texts.ts';

it.each([
  ['{}', 'http://127.0.0.1:8665'],
  ['{ host: "::1", port: 9000 }', 'http://[::1]:9000'],
  ['{ host: 10.0.0.7, tls: { cert: a.crt, key: a.key } }', 'https://10.0.0.7:8665'],
  [
    '{ host: 0.0.0.0, tls: terminated-upstream, publicUrl: "https://tools.example.com" }',
    'https://tools.example.com',
  ],
])('an export says the address that clients use: %s', (listen, address) => {
  const parsed = parseConfig(`version: 1\nlisten: ${listen}\n`);
  if (!parsed.ok) throw new Error(parsed.issues.map(({ message }) => message).join());
  expect(exportReadme(parsed.config, [], [])).toContain(`listens on ${address}, with MCP`);
});
