import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { PROGRAM } from '../support/gateway.ts';

const OLD_NODE = pathToFileURL(join(import.meta.dirname, '../support/old-node.mjs')).href;

it('says which Node it needs on one that is too old, with exit code 2, and loads nothing else before', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', OLD_NODE, PROGRAM, 'serve', '--config', 'none.yaml'],
    { encoding: 'utf8', timeout: 60_000 },
  );
  expect(stderr).toMatch(
    /^toolgate: this is Node 20\.20\.2 \(.+\), and Toolgate needs Node 22\.19 or newer: .+\n$/,
  );
  expect(status).toBe(2);
  // The build's own helpers, without any of the program, are in a file of their own.
  const harmless = /^(?:gateway\.js|chunk-chunk-\w+\.js|node:module|node:url)$/;
  const loaded = stdout.trim().split('\n');
  expect(loaded).toContain('gateway.js');
  expect(loaded.filter((name) => !harmless.test(name))).toEqual([]);
});
