import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { configOf } from '../support/configs.ts';
import { startGateway } from '../support/gateway.ts';
import { TRANSPORTS, type Path, type Transport } from './path.ts';
import { startPeers } from './peers.ts';
import type { Target } from './sessions.ts';

/** All paths, and how long the gateways took from their start until they answered. */
export interface Paths {
  readonly paths: readonly Path[];
  readonly gatewayReadyMs: number;
}

const START_TIMEOUT_MS = 15_000;
const MOCK = join(import.meta.dirname, 'mock-server.ts');

/** Starts every path over every transport. What is to be called at the end is added to `closing`. */
export async function startPaths(closing: (() => unknown)[]): Promise<Paths> {
  const run = async (file: string, args: readonly string[]): Promise<{ url: string; pid: number }> => {
    const child = fork(join(import.meta.dirname, file), [...args]);
    closing.push(() => child.kill());
    return { url: await announced(child, file), pid: child.pid ?? 0 };
  };
  const upstream = await run('mock-server.ts', ['--http']);
  const stdio = [process.execPath, MOCK];
  const paths: Path[] = [];
  const ready: number[] = [];
  for (const transport of TRANSPORTS) {
    const direct: Target =
      transport === 'stdio' ? { kind: 'stdio', command: stdio } : { kind: 'http', url: upstream.url };
    const behind = transport === 'stdio' ? stdio : ['--url', upstream.url];
    const passThrough = await run('pass-through.ts', behind);
    const sdkProxy = await run('sdk-proxy.ts', behind);
    const began = performance.now();
    const gateway = await startGateway({ config: gatewayConfig(transport, upstream.url) });
    ready.push(performance.now() - began);
    closing.push(gateway.stop);
    paths.push(
      { transport, name: 'direct', target: direct },
      {
        transport,
        name: 'pass-through',
        target: { kind: 'http', url: passThrough.url },
        pid: passThrough.pid,
      },
      {
        transport,
        name: 'toolgate',
        target: { kind: 'http', url: `${gateway.address}/mcp/bench/echo`, token: gateway.token },
        pid: gateway.pid,
      },
      { transport, name: 'sdk proxy', target: { kind: 'http', url: sdkProxy.url }, pid: sdkProxy.pid },
    );
  }
  paths.push(...(await startPeers(stdio, closing)));
  return { paths, gatewayReadyMs: Math.max(...ready) };
}

function gatewayConfig(transport: Transport, url: string): string {
  const server =
    transport === 'stdio'
      ? `{ name: echo, command: "${process.execPath}", args: ["${MOCK}"] }`
      : `{ name: echo, url: "${url}", allowPrivateAddress: true }`;
  return configOf({ bench: [server] });
}

async function announced(child: ChildProcess, file: string): Promise<string> {
  const patience = AbortSignal.timeout(START_TIMEOUT_MS);
  const [message] = (await once(child, 'message', { signal: patience }).catch(() => {
    throw new Error(`${file} did not start within ${START_TIMEOUT_MS / 1000} s`);
  })) as [{ url: string }];
  return message.url;
}
