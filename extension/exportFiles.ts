import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExportBundle } from '../gateway/contract/admin.ts';

type ExportFile = ExportBundle['files'][number];

/** A file of an export with the place it goes to. */
export interface PlacedFile extends ExportFile {
  readonly target: string;
}

/** Where each file goes. Throws for one that would land outside the folder. */
export function placeFiles(folder: string, bundle: ExportBundle): PlacedFile[] {
  return bundle.files.map((file) => {
    const target = path.resolve(folder, file.path);
    const inside = path.relative(folder, target);
    if (inside === '' || inside.startsWith('..') || path.isAbsolute(inside)) {
      throw new Error(`The export names a file outside the folder: ${file.path}`);
    }
    return { ...file, target };
  });
}

/** The files that are already there, by their paths within the folder. */
export function existingFiles(files: readonly PlacedFile[]): string[] {
  return files.filter(({ target }) => existsSync(target)).map((file) => file.path);
}

export async function writeFiles(files: readonly PlacedFile[]): Promise<void> {
  for (const { target, content, executable } of files) {
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, content);
    if (executable) await chmod(target, 0o755);
  }
}
