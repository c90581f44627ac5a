import { basename } from 'node:path';
import { EXIT, parentMessageSchema, type ChildMessage, type ParentMessage } from '../contract/ipc.ts';
import { createLog } from '../telemetry/log.ts';
import { CliError } from './cli-error.ts';
import { runGateway } from './run.ts';
import { loadConfig, type Program } from './setup.ts';

type Start = Extract<ParentMessage, { type: 'start' }>;

const START_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 10_000;

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
    const running = await runGateway(program, loadConfig(start.configFile, basename(start.configFile)), {
      data: start.dataDir,
      port: start.port,
      ownerToken: start.ownerToken,
      secrets: start.secrets,
      log: createLog(start.logLevel),
    });
    send({ type: 'ready', address: running.address, pid: process.pid, version: program.version });
    await stop;
    exitSoon(EXIT.ok);
    await running.close();
    if (process.connected) process.disconnect();
  } catch (error) {
    const exitCode = error instanceof CliError ? error.exitCode : EXIT.failed;
    send({ type: 'failed', message: (error as Error).message, exitCode });
    process.exitCode = exitCode;
    exitSoon(exitCode);
    if (process.connected) process.disconnect();
  }
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
