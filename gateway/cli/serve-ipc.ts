import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, parentMessageSchema, type ChildMessage, type ParentMessage } from '../contract/ipc.ts';
import { createSharing } from '../identity/sharing.ts';
import { createLog } from '../telemetry/log.ts';
import { createHandedVault, type HandedVault } from '../credentials/vault.ts';
import { CliError } from './cli-error.ts';
import { createKeeper } from './keeper.ts';
import { PortTakenError, runGateway, type Running } from './run.ts';
import { isLoopback } from '../config/listen.ts';
import { loadConfig, type LoadedConfig, type Program } from './setup.ts';
import { findShared, untilGone, type Found, type SharedGateway } from './shared-gateway.ts';

type Start = Extract<ParentMessage, { type: 'start' }>;

const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 10_000;
/** For so long another window's gateway may take to end, or to start again with what this one has. */
const HANDOVER_MS = 4_000;
const HANDOVER_PAUSE_MS = 250;

/**
 * `toolgate serve --ipc`: the gateway as a child of the extension. It is told everything by one `start` message
 * and lives no longer than its parent: when the channel closes, it stops.
 */
export async function serveIpc(program: Program): Promise<void> {
  if (process.send === undefined)
    throw new CliError('--ipc is for a parent process; use toolgate serve', EXIT.usage);
  // A parent that went away while the gateway started hears nothing; telling it would be an error of its own.
  const send = (message: ChildMessage): void => {
    if (process.connected) process.send?.(message);
  };
  const stop = new Promise<void>((resolve) => {
    process.once('disconnect', resolve);
    process.once('SIGTERM', () => resolve());
    process.on('message', (message: unknown) => {
      if (parentMessageSchema.safeParse(message).data?.type === 'stop') resolve();
    });
  });
  // Ctrl-C in a terminal that VS Code was started from reaches the child too; the parent decides.
  process.on('SIGINT', () => undefined);
  try {
    const start = await Promise.race([startMessage(), stop]);
    if (start === undefined) return;
    const vault = handedBy(start, send);
    const running = await runOrShare({ program, start, vault, stop }, (shared) =>
      send({ type: 'ready', ...shared }),
    );
    if (running === undefined) {
      disconnect();
      return;
    }
    send({ type: 'ready', address: running.address, pid: process.pid, version: program.version });
    await stop;
    exitSoon(EXIT.ok);
    await running.close();
    disconnect();
  } catch (error) {
    const exitCode = error instanceof CliError ? error.exitCode : EXIT.failed;
    send({ type: 'failed', message: (error as Error).message, exitCode });
    process.exitCode = exitCode;
    exitSoon(exitCode);
    disconnect();
  }
}

function disconnect(): void {
  if (process.connected) process.disconnect();
}

/**
 * Runs the gateway, unless another window runs the same: then that one is shared until it is gone, and this one
 * takes its place. Undefined when it was told to stop before it ran one itself.
 */
async function runOrShare(
  {
    program,
    start,
    vault,
    stop,
  }: {
    readonly program: Program;
    readonly start: Start;
    readonly vault: HandedVault;
    readonly stop: Promise<void>;
  },
  onShared: (shared: SharedGateway) => void,
): Promise<Running | undefined> {
  const { ownerToken, dataDir, configFile } = start;
  const { version } = program;
  const stopping = new AbortController();
  void stop.then(() => stopping.abort());
  // Whoever has the owner's token has the same secrets, and is told of each change.
  const started = JSON.stringify([configFile, dataDir, start.port ?? null]);
  const sharing = createSharing({ ownerToken, version, start: started });
  let deadline = Date.now() + HANDOVER_MS;
  let taken: PortTakenError | undefined;
  while (!stopping.signal.aborted) {
    const loaded = onThisMachine(loadConfig(configFile, basename(configFile)));
    const port = start.port ?? loaded.config.listen.port;
    const find = (): Promise<Found> => findShared(sharing, loaded.config.listen.host, port);
    const found = await find();
    if (typeof found === 'object') {
      onShared(found);
      await untilGone(found, find, stopping.signal);
      deadline = Date.now() + HANDOVER_MS;
      taken = undefined;
    } else if (found === 'other-start') {
      if (Date.now() > deadline) throw new CliError(otherStart(port));
      await sleep(HANDOVER_PAUSE_MS);
    } else {
      if (taken !== undefined) throw taken;
      try {
        const log = createLog(start.logLevel);
        // VS Code started from a desktop lacks what shells add to the PATH.
        const options = { data: dataDir, port, ownerToken, sharing, vault, log, loginPath: true };
        return await runGateway(program, loaded, options);
      } catch (error) {
        // Windows that open together find the port free together: the others share what the first starts.
        if (!(error instanceof PortTakenError)) throw error;
        taken = error;
      }
    }
  }
  return undefined;
}

/** The secrets of VS Code's secret storage, which the parent keeps up to date in both directions. */
function handedBy({ secrets }: Start, send: (message: ChildMessage) => void): HandedVault {
  const keeper = createKeeper(send);
  const vault = createHandedVault(secrets, keeper.keep);
  process.on('message', (raw: unknown) => {
    const { data } = parentMessageSchema.safeParse(raw);
    if (data?.type === 'secrets') vault.replace(data.secrets);
    else if (data?.type === 'kept') keeper.settle(data);
  });
  return vault;
}

function otherStart(port: number): string {
  return `port ${port} is taken by the gateway of another window, which runs another configuration or version: close that window, or give this one another port`;
}

/** Whatever still holds the process after the end, it must not outlive its parent. */
function exitSoon(code: number): void {
  setTimeout(() => process.exit(code), STOP_TIMEOUT_MS).unref();
}

function startMessage(): Promise<Start> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new CliError('no start message came from the parent')),
      START_TIMEOUT_MS,
    );
    process.on('message', (message: unknown) => {
      const parsed = parentMessageSchema.safeParse(message);
      if (parsed.data?.type !== 'start') return;
      clearTimeout(timer);
      resolve(parsed.data);
    });
  });
}

/** VS Code's own gateway serves this machine alone, also when the configuration is one of a team's server. */
function onThisMachine(loaded: LoadedConfig): LoadedConfig {
  const { host, port } = loaded.config.listen;
  const listen = { host: isLoopback(host) ? host : '127.0.0.1', port, hosts: [], origins: [] };
  return { ...loaded, config: { ...loaded.config, listen } };
}
