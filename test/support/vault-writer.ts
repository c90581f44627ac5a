import { dirname } from 'node:path';
import { openFileVault } from '../../gateway/storage/file-secret-vault.ts';
import { readMasterKey } from '../../gateway/storage/master-key.ts';

/**
 * Sets, replaces and deletes secrets and changes the key until it is killed; prints each change when it is done. The
 * argument names the file, and how far the writers before this one have counted.
 */
const [file = '', from = '0'] = process.argv.slice(2);
const vault = await openFileVault(file, () => readMasterKey(dirname(file), {}), {
  now: Date.now,
  onBroken: () => undefined,
});
for (let count = Number(from); ; count++) {
  process.stdout.write(`set n${count % 7} v${count}\n`);
  await vault.set(`n${count % 7}`, `v${count}`);
  process.stdout.write(`done\n`);
  if (count % 5 === 0) await vault.rotate();
}
