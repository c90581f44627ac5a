import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NODE_NEEDED, nodeTooOld } from '../../../gateway/node-version.ts';
import { ROOT } from '../../support/gateway.ts';

/** A Node that is too old is told of in one line; package.json names the same version. */
it('knows which Node can run the program', async () => {
  for (const version of ['22.19.0', '22.20.1', '23.6.0', '24.0.0', '100.0.0', '22.19.0-nightly2026'])
    expect(nodeTooOld(version, '/usr/bin/node'), version).toBeUndefined();
  for (const version of ['18.20.8', '20.20.2', '22.9.0', '22.18.9'])
    expect(nodeTooOld(version, '/usr/bin/node')).toMatch(
      new RegExp(
        `^this is Node ${version} \\(/usr/bin/node\\), and Toolgate needs Node 22\\.19 or newer: .+$`,
      ),
    );
  const { engines } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  expect(engines.node).toBe(`>=${NODE_NEEDED}`);
});
