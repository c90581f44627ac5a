import { isAbsolute, normalize, resolve } from 'node:path';
import { parseDocument, visit, type Document } from 'yaml';
import { suspectLines } from '../config/credentials.ts';
import { referencesIn } from '../config/references.ts';
import type { Config } from '../config/schema.ts';
import type { ExportBundle } from '../contract/admin.ts';
import { replaceSecrets } from './secrets.ts';
import { exportReadme, startScript } from './texts.ts';

export interface ExportInput {
  /** The configuration as it was written; its comments are kept. */
  readonly text: string;
  readonly config: Config;
  /** The folder the configuration lies in. */
  readonly folder: string;
  /** The program that serves it on this machine: `dist/gateway.js`. */
  readonly program: string;
  readonly exists: (path: string) => boolean;
}

/**
 * The files that serve the same servers elsewhere. No secret is among them: a value written out where a
 * credential belongs becomes a `${env:NAME}` reference, and the notes say which to set.
 */
export function buildExport(input: ExportInput): ExportBundle {
  const document = parseDocument(input.text);
  const notes = replaceSecrets(document, input.config, new Set(variablesOf(document)));
  pinFolders(document, input, notes);
  keepDataInside(document, input.config, notes);
  const names = variablesOf(document).filter((name) => name !== 'TOOLGATE_HOME');
  for (const path of filesOf(document)) {
    notes.push(`A value is read from the file ${path}, which is not part of the export; put it there.`);
  }
  const content = document.toString({ lineWidth: 0 });
  for (const line of suspectLines(content)) {
    notes.push(`Line ${line} of toolgate.yaml may still hold a credential; look at it before you share it.`);
  }
  return {
    files: [
      { path: 'toolgate.yaml', content, executable: false },
      { path: 'start.sh', content: startScript(input.program), executable: true },
      { path: 'README.md', content: exportReadme(input.config, names, notes), executable: false },
      { path: '.gitignore', content: 'data/\n.env\n', executable: false },
      { path: '.env.example', content: names.map((name) => `${name}=\n`).join(''), executable: false },
    ],
    notes,
  };
}

/** A server that is started by a path relative to the old folder keeps that folder as its `cwd`; so does a document. */
function pinFolders(document: Document, { config, folder, exists }: ExportInput, notes: string[]): void {
  config.groups.forEach((group, g) => {
    group.servers.forEach((server, s) => {
      const { openapi } = server;
      if (openapi !== undefined && !isAbsolute(openapi) && !URL.canParse(openapi)) {
        const file = resolve(folder, openapi);
        document.setIn(['groups', g, 'servers', s, 'openapi'], file);
        notes.push(`${group.name}:${server.name} reads ${file}; take it along and change its openapi.`);
      }
      if (server.command === undefined) return;
      const relative = [server.command, ...server.args].some(
        (word) =>
          !isAbsolute(word) && /[\\/]|^\./.test(word) && exists(resolve(folder, server.cwd ?? '', word)),
      );
      const needed =
        server.cwd === undefined ? relative : !isAbsolute(server.cwd) && !server.cwd.startsWith('${');
      if (!needed) return;
      const cwd = resolve(folder, server.cwd ?? '');
      document.setIn(['groups', g, 'servers', s, 'cwd'], cwd);
      notes.push(`${group.name}:${server.name} runs files of ${cwd}; change its cwd on another machine.`);
    });
  });
}

/** A data folder outside the old folder would be some other place beside the new one. */
function keepDataInside(document: Document, { storage }: Config, notes: string[]): void {
  if (isAbsolute(storage.data) || !normalize(storage.data).startsWith('..')) return;
  document.setIn(['storage', 'data'], './data');
  notes.push(`storage.data was ${storage.data}; it is now ./data, in the export's own folder.`);
}

/** The environment variables that the written configuration needs, secrets included, in alphabetical order. */
function variablesOf(document: Document): string[] {
  const names = references(document).flatMap(({ kind, name }) =>
    kind === 'env' ? [name] : kind === 'secret' ? [secretVariable(name)] : [],
  );
  return [...new Set(names)].sort();
}

function filesOf(document: Document): string[] {
  const files = references(document).filter(({ kind }) => kind === 'file');
  return [...new Set(files.map(({ name }) => name))];
}

function references(document: Document): ReturnType<typeof referencesIn> {
  const found: ReturnType<typeof referencesIn> = [];
  visit(document, {
    Scalar: (_key, { value }) => {
      if (typeof value === 'string') found.push(...safeReferences(value));
    },
  });
  return found;
}

function safeReferences(text: string): ReturnType<typeof referencesIn> {
  try {
    return referencesIn(text);
  } catch {
    return [];
  }
}

/** The environment variable that gives `${secret:NAME}` its value in a headless gateway. */
export function secretVariable(name: string): string {
  return `TOOLGATE_SECRET_${name.replace(/[^A-Za-z0-9]+/g, '_').toUpperCase()}`;
}
