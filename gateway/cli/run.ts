import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { exposedReferences } from '../config/exposed.ts';
import { buildExport } from '../export/bundle.ts';
import { createGateway, type Gateway } from '../gateway.ts';
import type { Log } from '../telemetry/log.ts';
import type { Sharing } from '../identity/sharing.ts';
import type { SecretVault } from '../credentials/vault.ts';
import { OWNER } from '../identity/identity.ts';
import { WHOLE_SCOPE } from '../identity/principal.ts';
import { createTokens } from '../identity/tokens.ts';
import { CliError } from './cli-error.ts';
import { managedFiles, readManagedLists } from '../registry/managed.ts';
import { openCatalogStore } from '../storage/file-catalog-store.ts';
import { openFileConfigSource, revisionOf } from '../storage/file-config-source.ts';
import { dataFiles } from '../storage/paths.ts';
import {
  dataFolder,
  openStores,
  openVault,
  referenceSource,
  type LoadedConfig,
  type Program,
  type Stores,
} from './setup.ts';

export interface RunOptions {
  readonly data?: string | undefined;
  readonly port?: number | undefined;
  readonly ownerToken?: string | undefined;
  readonly sharing?: Sharing;
  /** Ask the user's login shell for its `PATH`. */
  readonly loginPath?: boolean | undefined;
  /** Make an administrator's token where there was no gateway before. */
  readonly firstToken?: boolean | undefined;
  /** The secrets that the parent process keeps; the data folder's own without. */
  readonly vault?: SecretVault;
  readonly log: Log;
}

/** A gateway that listens. */
export interface Running {
  readonly gateway: Gateway;
  readonly address: string;
  /** The number of stored tokens. */
  readonly tokens: number;
  /** The value of the administrator's token, when this is the first start on its data folder. */
  readonly firstToken: string | undefined;
  close(): Promise<void>;
}

/** Another program listens where the gateway should. */
export class PortTakenError extends CliError {}

/** Opens the stores and starts a gateway on them. Rejects with a `CliError`, with nothing left running. */
export async function runGateway(
  program: Program,
  loaded: LoadedConfig,
  options: RunOptions,
): Promise<Running> {
  const { log } = options;
  const folder = dataFolder(loaded, options.data);
  const first = options.firstToken === true && !existsSync(dataFiles(folder).config);
  const stores = await openStores(folder, (error) =>
    log.error({ err: error }, 'calls could not be recorded; they are kept in memory'),
  );
  const vault =
    options.vault ??
    (await openVault(program, folder, (error) =>
      log.error({ err: error }, 'the secrets changed and cannot be opened; those of before stay in use'),
    ).catch(async (error: unknown) => {
      await stores.close();
      throw error;
    }));
  const catalogStore = await openCatalogStore(dataFiles(folder).catalog, (problem, error) =>
    log.warn({ err: error }, problem),
  );
  const configText = { text: loaded.text, revision: revisionOf(loaded.text) };
  const backup = join(folder, 'toolgate.yaml.bak');
  const configSource = openFileConfigSource(loaded.file, backup, configText.revision);
  for (const { path, message } of exposedReferences(loaded.config)) log.warn({ path }, message);
  const gateway = createGateway({
    config: loaded.config,
    configText,
    configSource,
    folder: loaded.folder,
    configStore: stores.configStore,
    activity: stores.activity,
    approvalStore: stores.approvalStore,
    runStore: stores.runStore,
    sharedState: stores.sharedState,
    catalogStore,
    tokenKey: stores.tokenKey,
    ownerToken: options.ownerToken,
    sharing: options.sharing,
    managed: readManagedLists(
      managedFiles(process.platform, program.env),
      furtherManagedFiles(program.env['TOOLGATE_MANAGED_SETTINGS']),
    ),
    vault,
    references: referenceSource(program, loaded.folder, vault),
    env: program.env,
    execPath: process.execPath,
    loginPath: options.loginPath,
    consoleFolder: join(program.home, 'dist', 'webview'),
    version: program.version,
    exportBundle: (current) =>
      buildExport({ ...loaded, ...current, program: program.file, exists: existsSync }),
    log,
    now: Date.now,
  });
  const close = async (): Promise<void> => {
    await gateway.close();
    configSource.close();
    await catalogStore.close();
    await vault.close();
    await stores.close();
  };
  const port = options.port ?? loaded.config.listen.port;
  try {
    const address = await gateway.listen(port);
    const firstToken = first ? await makeFirstToken(stores) : undefined;
    return { gateway, address, tokens: stores.configStore.current().tokens.length, firstToken, close };
  } catch (error) {
    await close();
    throw listenError(error as NodeJS.ErrnoException, loaded.config.listen.host, port);
  }
}

async function makeFirstToken({ configStore, tokenKey }: Stores): Promise<string> {
  const tokens = createTokens({ store: configStore, key: tokenKey, now: Date.now });
  const { value } = await tokens.create({
    name: 'administrator',
    subject: OWNER,
    administrator: true,
    scope: WHOLE_SCOPE,
    expires: null,
  });
  return value;
}

/** Files that bind beside those of the system, and cannot lift what those say. */
function furtherManagedFiles(file: string | undefined): string[] {
  return file === undefined || file === '' ? [] : [file];
}

/** What to tell of a port that cannot be listened on. */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number): CliError {
  if (error.code === 'EADDRINUSE') {
    return new PortTakenError(
      `port ${port} on ${host} is taken: stop the program that has it, or choose another with --port`,
    );
  }
  if (error.code === 'EACCES')
    return new CliError(`port ${port} needs more rights; choose one above 1023 with --port`);
  return new CliError(`cannot listen on ${host}:${port}: ${error.message}`);
}
