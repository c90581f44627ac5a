import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { KnownServer } from '../registry/entry.ts';
import type { CatalogStore } from './contracts.ts';
import { replaceFile } from './replace-file.ts';

const listedSchema = z.looseObject({ name: z.string() });
const fileSchema = z.strictObject({
  version: z.literal(1),
  server: z.string(),
  fingerprint: z.string(),
  known: z.strictObject({
    serverInfo: z.strictObject({ name: z.string(), version: z.string() }),
    protocolVersion: z.string(),
    instructions: z.string().optional(),
    declared: z.record(z.string(), z.unknown()),
    listedAt: z.number(),
    shyAt: z.number().optional(),
    capabilities: z.strictObject({
      tools: z.array(listedSchema),
      resources: z.array(listedSchema),
      templates: z.array(listedSchema),
      prompts: z.array(listedSchema),
    }),
  }),
});

const WRITE_DELAY_MS = 500;
const LIMITS = { fileBytes: 8 * 1024 * 1024, files: 500, leftoverMs: 60_000 } as const;

/** Where a problem goes, in words: the store itself goes on without what it concerns. */
export type OnProblem = (problem: string, error?: unknown) => void;

/**
 * A `CatalogStore` in a folder of mode 700 with one file (mode 600) for each server: at most 8 MiB each, and the
 * 500 last written. Several processes may share the folder. When the disk fails, nothing is known and nothing kept.
 */
export async function openCatalogStore(
  folder: string,
  onProblem: OnProblem,
  limits: { readonly fileBytes: number; readonly files: number } = LIMITS,
): Promise<CatalogStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
    .then(() => prune(folder, limits.files))
    .catch((error: unknown) => onProblem(`${folder} cannot be used to keep what servers list`, error));
  const waiting = new Map<string, () => string>();
  let timer: NodeJS.Timeout | undefined;
  let writing = Promise.resolve();

  const writeWaiting = async (): Promise<void> => {
    timer = undefined;
    const files = [...waiting];
    waiting.clear();
    for (const [file, toText] of files) {
      const text = toText();
      const small = Buffer.byteLength(text) <= limits.fileBytes;
      if (!small)
        onProblem(`what a server listed is over ${limits.fileBytes} bytes and is not kept for a restart`);
      await (small ? replaceFile(file, text) : rm(file, { force: true })).catch((error: unknown) =>
        onProblem('what a server listed could not be kept for a restart', error),
      );
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    return (writing = writing.then(writeWaiting));
  };

  return {
    find: (server, fingerprint) => {
      const file = join(folder, fileName(server, fingerprint));
      try {
        return readKnown(readFileSync(file, 'utf8'), server, fingerprint);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
          onProblem(
            `${file} is not used: it is damaged or cannot be read; ${server} will be listed anew`,
            error,
          );
        return undefined;
      }
    },
    keep: (server, fingerprint, known) => {
      waiting.set(join(folder, fileName(server, fingerprint)), () =>
        JSON.stringify({ version: 1, server, fingerprint, known }),
      );
      timer ??= setTimeout(() => void flush(), WRITE_DELAY_MS).unref();
    },
    close: flush,
  };
}

/** A hash, since not every file system takes the characters of an id or tells capitals apart. */
function fileName(server: string, fingerprint: string): string {
  return `${createHash('sha256')
    .update(JSON.stringify([server, fingerprint]))
    .digest('hex')
    .slice(0, 32)}.json`;
}

/** The value as it was parsed, not as the schema rebuilds it: what servers list goes out as it came in. */
function readKnown(text: string, server: string, fingerprint: string): KnownServer {
  const value: unknown = JSON.parse(text);
  const file = fileSchema.parse(value);
  if (file.server !== server || file.fingerprint !== fingerprint) throw new Error('it is of another server');
  return (value as { known: KnownServer }).known;
}

/** Deletes all but the files last written, and what a writer that died left behind. */
async function prune(folder: string, keep: number): Promise<void> {
  const names = await readdir(folder);
  const files = await Promise.all(
    names.map(async (name) => {
      const time = await stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      );
      return { name, time };
    }),
  );
  const isLeftover = ({ name, time }: { name: string; time: number }): boolean =>
    name.endsWith('.new') && Date.now() - time > LIMITS.leftoverMs;
  const kept = files.filter(({ name }) => name.endsWith('.json')).sort((a, b) => b.time - a.time);
  for (const { name } of [...kept.slice(keep), ...files.filter(isLeftover)])
    await rm(join(folder, name), { force: true });
}
