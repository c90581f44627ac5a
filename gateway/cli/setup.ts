import { existsSync, readFileSync } from 'node:fs';
import { access, constants, mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkPolicy } from '../access/policies.ts';
import { formatIssue, parseConfig } from '../config/load.ts';
import type { ReferenceSource } from '../config/references.ts';
import type { Config } from '../config/schema.ts';
import { EXIT } from '../contract/ipc.ts';
import { secretVariable } from '../export/bundle.ts';
import { readMasterKey } from '../storage/master-key.ts';
import type { SecretVault } from '../credentials/vault.ts';
import { openFileVault, type FileVault } from '../storage/file-secret-vault.ts';
import { readTokenKey } from '../storage/token-key.ts';
import type {
  ActivityStore,
  ApprovalStore,
  ConfigStore,
  RunStore,
  SharedState,
} from '../storage/contracts.ts';
import { openConfigStore } from '../storage/lowdb-config-store.ts';
import { dataFiles } from '../storage/paths.ts';
import { openActivityStore } from '../storage/sqlite-activity-store.ts';
import { openApprovalStore } from '../storage/sqlite-approval-store.ts';
import { createMemorySharedState } from '../storage/memory-shared-state.ts';
import { openCounterStore } from '../storage/sqlite-counter-store.ts';
import { openRunStore } from '../storage/sqlite-run-store.ts';
import { CliError } from './cli-error.ts';

/** Where the program is installed and what it is. */
export interface Program {
  readonly version: string;
  /** The folder that holds `dist/`. */
  readonly home: string;
  /** `dist/gateway.js`. */
  readonly file: string;
  readonly env: NodeJS.ProcessEnv;
}

export interface LoadedConfig {
  readonly file: string;
  readonly folder: string;
  readonly text: string;
  readonly config: Config;
}

/** Reads and checks a configuration; every issue is a line of the error, which calls the file `shown`. */
export function loadConfig(path: string, shown = path): LoadedConfig {
  const file = resolve(path);
  if (!existsSync(file)) {
    throw new CliError(`${file} does not exist; name a configuration with --config FILE`, EXIT.usage);
  }
  const text = readFileSync(file, 'utf8');
  const parsed = parseConfig(text);
  if (!parsed.ok)
    throw new CliError(parsed.issues.map((issue) => formatIssue(shown, issue)).join('\n'), EXIT.usage);
  try {
    checkPolicy(parsed.config);
  } catch (error) {
    throw new CliError(`${shown} ${(error as Error).message}`, EXIT.usage);
  }
  return { file, folder: dirname(file), text, config: parsed.config };
}

/** Where references get their values; secrets from `vault`, else from a variable made of the name. */
export function referenceSource(
  program: Program,
  folder: string,
  vault?: Pick<SecretVault, 'get'>,
): ReferenceSource {
  // `${env:toString}` must not find what every object inherits.
  const variable = (name: string): string | undefined =>
    Object.hasOwn(program.env, name) ? program.env[name] : undefined;
  return (kind, name) => {
    switch (kind) {
      case 'secret':
        return vault?.get(name) ?? variable(secretVariable(name));
      case 'env':
        return variable(name) ?? (name === 'TOOLGATE_HOME' ? program.home : undefined);
      case 'file':
        try {
          return readFileSync(resolve(folder, name), 'utf8').trim();
        } catch {
          return undefined;
        }
    }
  };
}

export interface Stores {
  readonly configStore: ConfigStore;
  readonly activity: ActivityStore;
  readonly approvalStore: ApprovalStore;
  readonly runStore: RunStore;
  readonly sharedState: SharedState;
  readonly tokenKey: Buffer;
  close(): Promise<void>;
}

/** Opens the stores of a data folder, which is made if need be. */
export async function openStores(
  dataDir: string,
  onActivityError: (error: unknown) => void,
): Promise<Stores> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    await access(dataDir, constants.W_OK | constants.X_OK);
    const files = dataFiles(dataDir);
    const tokenKey = await readTokenKey(dataDir);
    const configStore = await openConfigStore(files.config);
    const activity = await openActivityStore(files.activity, onActivityError);
    const approvalStore = await openApprovalStore(files.approvals);
    const kept = openCounterStore(files.counters, onActivityError);
    const sharedState = createMemorySharedState(Date.now, kept);
    const runStore = await openRunStore(files.runs);
    return {
      configStore,
      activity,
      approvalStore,
      runStore,
      sharedState,
      tokenKey,
      close: async () => {
        await approvalStore.close();
        await runStore.close();
        await sharedState.close();
        await activity.close();
        await configStore.close();
      },
    };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'EACCES' || code === 'EROFS' || code === 'ENOTDIR' || code === 'EEXIST'
        ? 'cannot be written'
        : (error as Error).message;
    throw new CliError(`the data folder ${dataDir} cannot be used: ${why}; choose another with --data DIR`);
  }
}

/** Opens the secrets of a data folder, which is made if need be. */
export async function openVault(
  { env }: Pick<Program, 'env'>,
  dataDir: string,
  onBroken: (error: unknown) => void,
): Promise<FileVault> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    return await openFileVault(dataFiles(dataDir).secrets, () => readMasterKey(dataDir, env), {
      now: Date.now,
      onBroken,
    });
  } catch (error) {
    throw new CliError(`the secrets cannot be opened: ${(error as Error).message}`);
  }
}

/** The data folder: the one asked for, else the configuration's. */
export function dataFolder(loaded: LoadedConfig, asked: string | undefined): string {
  return asked === undefined ? resolve(loaded.folder, loaded.config.storage.data) : resolve(asked);
}
