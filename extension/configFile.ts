import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

export const CONFIG_FILE_NAME = 'toolgate.yaml';

export interface ConfigFileChoice {
  /** The setting `toolgate.configFile`; empty when it is not set. */
  readonly setting: string;
  /** Whether the workspace is trusted: a file of an untrusted one is never used. */
  readonly trusted: boolean;
  /** The workspace's folders on this machine, in order. */
  readonly folders: readonly string[];
  /** The extension's own folder, for the configuration that no workspace brings. */
  readonly storage: string;
  exists(file: string): boolean;
}

/** The configuration the gateway runs with; `own` when it is the extension's, which creates it when it is missing. */
export interface ChosenConfigFile {
  readonly file: string;
  readonly own: boolean;
}

/**
 * The file the setting names, unless that is in an untrusted workspace; else the first `toolgate.yaml` at the top of a trusted workspace's folder, else the
 * extension's own. A relative setting starts at the first folder, `~/` at the user's home.
 */
export function chooseConfigFile(choice: ConfigFileChoice): ChosenConfigFile {
  const setting = choice.setting.trim();
  const named = setting === '' ? undefined : resolveSetting(setting, choice);
  // A user's own setting, too, may lead into the folder of a stranger.
  if (named !== undefined && (choice.trusted || !isWithin(named, choice.folders)))
    return { file: named, own: false };
  const candidates = choice.trusted ? workspaceConfigFiles(choice.folders) : [];
  const found = candidates.find((file) => choice.exists(file));
  if (found !== undefined) return { file: found, own: false };
  return { file: path.join(choice.storage, CONFIG_FILE_NAME), own: true };
}

function isWithin(file: string, folders: readonly string[]): boolean {
  return folders.some((folder) => {
    const way = path.relative(realPath(folder), realPath(file));
    return way === '' || (!way.startsWith('..') && !path.isAbsolute(way));
  });
}

/** Without links on the way, as far as there is something. */
function realPath(file: string): string {
  const parent = path.dirname(file);
  try {
    return realpathSync(file);
  } catch {
    return parent === file ? file : path.join(realPath(parent), path.basename(file));
  }
}

/** The files a workspace may bring, whether they exist or not. */
export function workspaceConfigFiles(folders: readonly string[]): string[] {
  return folders.map((folder) => path.join(folder, CONFIG_FILE_NAME));
}

function resolveSetting(setting: string, { folders, storage }: ConfigFileChoice): string {
  if (setting.startsWith('~/') || setting.startsWith('~\\')) return path.join(homedir(), setting.slice(2));
  return path.resolve(folders[0] ?? storage, setting);
}
