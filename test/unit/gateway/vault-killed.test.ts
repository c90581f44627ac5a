import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { openFileVault } from '../../../gateway/storage/file-secret-vault.ts';
import { readMasterKey } from '../../../gateway/storage/master-key.ts';

const WRITER = resolve(import.meta.dirname, '../../support/vault-writer.ts');
const ROUNDS = 12;

/** Runs a writer and kills it at any moment after so many changes; resolves with what it printed. */
function killed(file: string, from: number, after: number, delayMs: number): Promise<string[]> {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, [WRITER, file, String(from)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    let errors = '';
    let dying = false;
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (dying || printed.split('done').length <= after) return;
      dying = true;
      setTimeout(() => child.kill('SIGKILL'), delayMs);
    });
    child.once('close', (code) =>
      code === null ? done(printed.split('\n').slice(0, -1)) : reject(new Error(errors)),
    );
  });
}

it('a writer that is killed loses no acknowledged secret and leaves a file that opens', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-killed-'));
  const file = join(folder, 'secrets.enc');
  const kept = new Map<string, string>();
  let count = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const printed = await killed(file, count, 3 + (round % 4), Math.random() * 12);
    let begun: [string, string] | undefined;
    for (const line of printed) {
      const [what, name = '', value = ''] = line.split(' ');
      if (what === 'set') {
        begun = [name, value];
        count++;
      } else if (begun !== undefined) {
        kept.set(...begun);
        begun = undefined;
      }
    }
    const vault = await openFileVault(file, () => readMasterKey(dirname(file), {}), {
      now: Date.now,
      onBroken: () => undefined,
    });
    for (const [name, value] of kept) {
      // What was under way when it was killed is there or is not.
      const allowed = begun?.[0] === name ? [value, begun[1]] : [value];
      expect(allowed, `${name} in round ${round}`).toContain(vault.get(name));
    }
    if (begun !== undefined && vault.get(begun[0]) === begun[1]) kept.set(...begun);
    await vault.set('alive', String(round));
    await vault.close();
  }
  expect(count).toBeGreaterThan(ROUNDS * 3);
  expect((await readdir(folder)).filter((name) => name.startsWith('.secrets'))).toEqual([]);
  expect(await readFile(file, 'utf8')).toContain('"check"');
}, 60_000);
