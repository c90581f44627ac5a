import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = await mkdtemp(join(tmpdir(), 'toolgate-run-'));

/** Gives the run a folder of its own for temporary files. */
export function setup(): void {
  process.env['TMPDIR'] = folder;
}

/** Takes it away, with all that tests left in it. */
export async function teardown(): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
