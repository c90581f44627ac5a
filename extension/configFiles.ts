import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { ChosenConfigFile } from './configFile.ts';
import { chooseConfigFile, workspaceConfigFiles } from './configFile.ts';
import { onDidChangeSettings, readSettings } from './settings.ts';

/** Knows which `toolgate.yaml` counts in this window, and tells when that, or what it says, may have changed. */
export class ConfigFiles implements vscode.Disposable {
  readonly #storage: string;
  readonly #starter: string;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[];
  #watchers: vscode.Disposable[] = [];

  readonly onDidChange = this.#changed.event;

  /** `starter` is the file a new configuration is copied from. */
  constructor(storage: string, starter: string) {
    this.#storage = storage;
    this.#starter = starter;
    const changed = (): void => {
      this.#watch();
      this.#changed.fire();
    };
    this.#subscriptions = [
      vscode.workspace.onDidChangeWorkspaceFolders(changed),
      vscode.workspace.onDidGrantWorkspaceTrust(changed),
      onDidChangeSettings(changed),
    ];
    this.#watch();
  }

  choose(): ChosenConfigFile {
    return chooseConfigFile({
      setting: readSettings().configFile,
      trusted: vscode.workspace.isTrusted,
      folders: localFolders(),
      storage: this.#storage,
      exists: existsSync,
    });
  }

  /** The chosen file, created with a starter configuration when it is the extension's own and missing. */
  async ensure(): Promise<string> {
    const { file, own } = this.choose();
    if (own && !existsSync(file)) {
      await mkdir(this.#storage, { recursive: true });
      await copyFile(this.#starter, file, constants.COPYFILE_EXCL);
    }
    return file;
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions, ...this.#watchers, this.#changed).dispose();
  }

  #watch(): void {
    vscode.Disposable.from(...this.#watchers).dispose();
    const files = new Set([this.choose().file, ...workspaceConfigFiles(localFolders())]);
    const fire = (): void => {
      this.#changed.fire();
    };
    this.#watchers = [...files].flatMap((file) => {
      const folder = vscode.Uri.file(path.dirname(file));
      const pattern = new vscode.RelativePattern(folder, path.basename(file));
      const watcher = vscode.workspace.createFileSystemWatcher(pattern);
      return [watcher, watcher.onDidChange(fire), watcher.onDidCreate(fire), watcher.onDidDelete(fire)];
    });
  }
}

function localFolders(): string[] {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return folders.filter(({ uri }) => uri.scheme === 'file').map(({ uri }) => uri.fsPath);
}
