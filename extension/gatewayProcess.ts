import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { ChildMessage, ParentMessage } from '../gateway/contract/ipc.ts';
import { childMessageSchema } from '../gateway/contract/ipc.ts';
import type { LogEntry } from './gatewayLog.ts';
import { readLogLine } from './gatewayLog.ts';
import type { ChildEvents, GatewayChild } from './gatewaySupervisor.ts';

/** How long a gateway may take to end its servers and itself before it is killed. */
const STOP_GRACE_MS = 5_000;
const STDERR_TAIL_LINES = 20;

export interface GatewayLaunch {
  /** The bundled gateway program. */
  readonly program: string;
  readonly start: Extract<ParentMessage, { type: 'start' }>;
  onLog(entry: LogEntry): void;
  /** Keeps a secret for the gateway; null takes it away. */
  onKeep(name: string, value: string | null): Promise<void>;
}

/**
 * Forks the gateway with the Node.js this process runs on. The owner's token and the secrets go to it over the IPC
 * channel alone. The gateway also ends when that channel closes, so it cannot outlive this process.
 */
export function launchGateway(launch: GatewayLaunch, events: ChildEvents): GatewayChild {
  const child = fork(launch.program, ['serve', '--ipc'], {
    // Without this the flags of the extension host, a debugger's port for one, would be inherited.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: gatewayEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const stderrTail: string[] = [];
  forEachLine(child.stdout, (line) => {
    launch.onLog(readLogLine(line) ?? { level: 'info', text: line });
  });
  forEachLine(child.stderr, (line) => {
    const entry = readLogLine(line);
    launch.onLog(entry ?? { level: 'error', text: line });
    // What is no entry of the log is a crash's own words.
    if (entry === undefined) stderrTail.push(line);
    if (stderrTail.length > STDERR_TAIL_LINES) stderrTail.shift();
  });

  child.on('message', (raw) => {
    const message = childMessageSchema.safeParse(raw);
    if (!message.success) {
      const text = `The gateway sent an unknown message: ${message.error.message}`;
      launch.onLog({ level: 'error', text });
    } else if (message.data.type === 'keep') keep(child, launch, message.data);
    else events.onMessage(message.data);
  });
  const ended = new Promise<void>((resolve) => {
    const end = (code: number | null, signal: string | null): void => {
      resolve();
      events.onExit({ code, signal, stderrTail });
    };
    // `close` comes after `exit`, when the last of the output has been read.
    child.once('close', end);
    child.once('error', (error) => {
      stderrTail.push(error.message);
      if (child.pid === undefined) end(null, null);
    });
  });
  send(child, launch.start);
  return {
    stop: () => stop(child, ended),
    tell: (secrets) => {
      send(child, { type: 'secrets', secrets: { ...secrets } });
    },
  };
}

function keep(
  child: ChildProcess,
  { onKeep }: GatewayLaunch,
  { id, name, value }: Extract<ChildMessage, { type: 'keep' }>,
): void {
  onKeep(name, value).then(
    () => {
      send(child, { type: 'kept', id });
    },
    (error: unknown) => {
      send(child, { type: 'kept', id, error: error instanceof Error ? error.message : String(error) });
    },
  );
}

async function stop(child: ChildProcess, ended: Promise<void>): Promise<void> {
  send(child, { type: 'stop' });
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
  await ended;
  clearTimeout(timer);
}

/** A process that is just ending has no channel any more; its `close` event tells the rest. */
function send(child: ChildProcess, message: ParentMessage): void {
  if (child.connected) child.send(message, () => undefined);
}

function gatewayEnvironment(): NodeJS.ProcessEnv {
  if (process.versions['electron'] === undefined) return process.env;
  return { ...process.env, ELECTRON_RUN_AS_NODE: '1' };
}

function forEachLine(stream: Readable | null, onLine: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream, crlfDelay: Infinity }).on('line', onLine);
}
