import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { prepareKey, readMasterKey, type MasterKey } from '../../../gateway/storage/master-key.ts';
import { openFileVault, type FileVault } from '../../../gateway/storage/file-secret-vault.ts';

interface World {
  readonly folder: string;
  readonly file: string;
  open(master?: MasterKey): Promise<FileVault>;
}

async function world(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'toolgate-vault-'));
  const file = join(folder, 'secrets.enc');
  return {
    folder,
    file,
    open: async (master) => {
      const key = (): Promise<MasterKey> =>
        master === undefined ? readMasterKey(folder, {}) : Promise.resolve(master);
      const vault = await openFileVault(file, key, { now: Date.now, onBroken: () => undefined });
      onTestFinished(() => vault.close());
      return vault;
    },
  };
}

interface FileShape {
  records: { id: string; nonce: string; sealed: string }[];
}
const read = async (file: string): Promise<FileShape> =>
  JSON.parse(await readFile(file, 'utf8')) as FileShape;

describe('P91 a vault in a file', () => {
  it('keeps secrets over a restart, and neither names nor values can be read in the file', async () => {
    const { file, open, folder } = await world();
    const vault = await open();
    await vault.set('hub-key', 'canary-value');
    await vault.set('other', 'second');
    await vault.set('other', 'third');
    expect(await vault.delete('none')).toBe(false);
    const again = await open();
    expect([again.get('hub-key'), again.get('other'), again.get('toString')]).toEqual([
      'canary-value',
      'third',
      undefined,
    ]);
    expect(again.list().map(({ name }) => name)).toEqual(['hub-key', 'other']);
    const text = await readFile(file, 'utf8');
    expect(text).not.toContain('canary');
    expect(text).not.toContain('hub-key');
    for (const one of [file, join(folder, 'master.key')]) expect((await stat(one)).mode & 0o777).toBe(0o600);
    const { records } = await read(file);
    expect(new Set(records.map(({ nonce }) => nonce)).size).toBe(records.length);
  });

  it('is one for several processes: what one sets the others have soon', async () => {
    const { open } = await world();
    const [one, two] = [await open(), await open()];
    const heard: string[] = [];
    two.onChange((changed) => heard.push(...changed));
    await Promise.all([one.set('a', '1'), two.set('b', '2')]);
    await expect.poll(() => [one.get('b'), two.get('a')]).toEqual(['2', '1']);
    await expect.poll(() => [...new Set(heard)].sort()).toEqual(['a', 'b']);
    expect(await two.delete('a')).toBe(true);
    await expect.poll(() => one.get('a')).toBeUndefined();
  });

  it('opens under its own key only, and is left as it is', async () => {
    const { file, open } = await world();
    await (await open()).set('a', '1');
    const before = await readFile(file, 'utf8');
    const wrong: MasterKey = { bytes: Buffer.alloc(32, 9), source: 'TOOLGATE_MASTER_KEY' };
    await expect(open(wrong)).rejects.toThrow('another master key than that of TOOLGATE_MASTER_KEY');
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('opens no record that was changed, or put in the place of another', async () => {
    const { file, open } = await world();
    const vault = await open();
    await vault.set('a', '1');
    await vault.set('b', '2');
    const good = await read(file);
    const [a, b] = good.records;
    if (a === undefined || b === undefined) throw new Error('two records');
    for (const records of [
      [{ ...a, id: b.id }, b],
      [{ ...a, sealed: b.sealed, nonce: b.nonce }, b],
      [
        {
          ...a,
          sealed: `A${a.sealed.slice(1)}` === a.sealed ? `B${a.sealed.slice(1)}` : `A${a.sealed.slice(1)}`,
        },
      ],
    ]) {
      await writeFile(file, JSON.stringify({ ...good, records }));
      await expect(open()).rejects.toThrow();
    }
  });

  it('is encrypted anew under a new key, and the old one opens nothing more', async () => {
    const { file, folder, open } = await world();
    const vault = await open();
    await vault.set('a', '1');
    const old = await readMasterKey(folder, {});
    await vault.rotate();
    expect(await readFile(`${file}.bak`, 'utf8').catch(() => 'gone')).toBe('gone');
    expect(vault.get('a')).toBe('1');
    await vault.set('b', '2');
    expect((await open()).list().map(({ name }) => name)).toEqual(['a', 'b']);
    await expect(open({ ...old, file: join(folder, 'gone') })).rejects.toThrow('another master key');
  });

  it('a rotation that was cut short, before or after the secrets were sealed anew, loses nothing', async () => {
    const before = await world();
    await (await before.open()).set('a', '1');
    await prepareKey(join(before.folder, 'master.key'));
    expect((await before.open()).get('a')).toBe('1');

    const after = await world();
    const vault = await after.open();
    await vault.set('a', '1');
    const key = join(after.folder, 'master.key');
    const old = await readFile(key);
    await vault.rotate();
    await rename(key, `${key}.next`);
    await writeFile(key, old);
    expect((await after.open()).get('a')).toBe('1');
    expect((await after.open()).get('a')).toBe('1');
  });

  it('follows a key that another process has changed, and then writes under it', async () => {
    const { open, folder } = await world();
    const [one, two] = [await open(), await open()];
    await one.set('a', '1');
    await two.rotate();
    await one.set('b', '2');
    await two.set('c', '3');
    expect((await open()).list().map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    const { bytes } = await readMasterKey(folder, {});
    const fixed = await open({ bytes, source: 'TOOLGATE_MASTER_KEY' });
    await two.rotate();
    await expect(fixed.set('d', '4')).rejects.toThrow('another master key');
    expect(fixed.get('a')).toBe('1');
    expect((await open()).get('d')).toBeUndefined();
  });

  it('keeps a deleted secret in no file, nor what a writer left that was killed', async () => {
    const { file, folder, open } = await world();
    const vault = await open();
    await vault.set('gone', 'canary');
    const { records } = await read(file);
    const left = records[0]?.sealed ?? 'none';
    await writeFile(join(folder, '.secrets.enc.999999.new'), left);
    await writeFile(`${file}.bak`, left);
    const again = await open();
    await again.delete('gone');
    for (const name of await readdir(folder))
      expect(await readFile(join(folder, name), 'utf8'), name).not.toContain(left);
    expect((await readdir(folder)).sort()).toEqual(['master.key', 'secrets.enc']);
  });

  it('makes no new key where secrets are under another', async () => {
    const { folder, open } = await world();
    await (await open()).set('a', '1');
    await rm(join(folder, 'master.key'));
    await expect(open()).rejects.toThrow('set TOOLGATE_MASTER_KEY');
    expect(await readdir(folder)).toEqual(['secrets.enc']);
  });

  it('takes a key of the environment, in hex or base64, or of a file, and no other', async () => {
    const { folder } = await world();
    const bytes = Buffer.alloc(32, 5);
    for (const text of [bytes.toString('hex'), bytes.toString('base64')]) {
      expect((await readMasterKey(folder, { TOOLGATE_MASTER_KEY: text })).bytes).toEqual(bytes);
      await writeFile(join(folder, 'k'), `${text}\n`);
      expect((await readMasterKey(folder, { TOOLGATE_MASTER_KEY_FILE: join(folder, 'k') })).bytes).toEqual(
        bytes,
      );
    }
    const base64 = bytes.toString('base64');
    for (const text of [
      'short',
      bytes.toString('hex').slice(1),
      `${bytes.toString('hex')}0`,
      `0x${bytes.toString('hex').slice(2)}`,
      base64.slice(0, -1),
      `${base64.slice(0, 20)} ${base64.slice(21)}`,
      `${base64.slice(0, 20)}!${base64.slice(21)}`,
      `-${base64.slice(1)}`,
      base64.replace(/.=$/, 'V='),
      Buffer.alloc(31, 5).toString('base64'),
    ])
      await expect(readMasterKey(folder, { TOOLGATE_MASTER_KEY: text })).rejects.toThrow(
        /^TOOLGATE_MASTER_KEY holds no .*64 hex digits.*44 characters of base64/,
      );
  });
});
