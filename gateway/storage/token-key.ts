import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeKeyFile, readKeyFile } from './key-file.ts';

/**
 * The key that token hashes are made with: 32 random bytes in `token.key` of the data folder, mode 600, made
 * once. With the store alone, stolen hashes cannot be tried against guesses.
 */
export async function readTokenKey(dataDir: string): Promise<Buffer> {
  const file = join(dataDir, 'token.key');
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const text = (await readKeyFile(file)) ?? (await makeKeyFile(file).then(() => readKeyFile(file)));
  const key = Buffer.from(text?.trim() ?? '', 'hex');
  if (key.length !== 32)
    throw new Error(`${file} is damaged: it must hold 64 hex digits. All tokens depend on it.`);
  return key;
}
