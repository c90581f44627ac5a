import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/ports.ts';
import { ROOT } from '../support/gateway.ts';
import type { Path } from './path.ts';

const PACKAGES = join(ROOT, 'node_modules');
const START_TIMEOUT_MS = 20_000;

/**
 * Starts other gateways of npm, as their documentation shows, in front of the stdio server `command`: both serve a
 * stdio server over Streamable HTTP, and do nothing else of what is measured here. They reach no HTTP server.
 */
export async function startPeers(command: readonly string[], closing: (() => unknown)[]): Promise<Path[]> {
  const [proxyPort, superPort] = [await freePort(), await freePort()];
  const mcpProxy = [
    join(PACKAGES, 'mcp-proxy/dist/bin/mcp-proxy.mjs'),
    ...['--host', '127.0.0.1', '--port', String(proxyPort), '--server', 'stream', '--', ...command],
  ];
  const supergateway = [
    join(PACKAGES, 'supergateway/dist/index.js'),
    ...['--stdio', command.join(' '), '--outputTransport', 'streamableHttp', '--stateful'],
    ...['--port', String(superPort), '--logLevel', 'none'],
  ];
  const run = (args: readonly string[]): ChildProcess => {
    const child = spawn(process.execPath, args, { stdio: 'ignore' });
    closing.push(() => child.kill());
    return child;
  };
  return Promise.all([
    ready('mcp-proxy', run(mcpProxy), proxyPort),
    // It starts a server for each session, so that hundreds of sessions are hundreds of Node processes.
    ready('supergateway', run(supergateway), superPort).then((path) => ({ ...path, maxSessions: 32 })),
  ]);
}

async function ready(name: Path['name'], child: ChildProcess, port: number): Promise<Path> {
  const url = `http://127.0.0.1:${port}/mcp`;
  for (const end = Date.now() + START_TIMEOUT_MS; Date.now() < end;) {
    const answers = await fetch(url, { method: 'DELETE' }).then(
      () => true,
      () => false,
    );
    if (answers) return { transport: 'stdio', name, target: { kind: 'http', url }, pid: child.pid ?? 0 };
    if (child.exitCode !== null) throw new Error(`${name} ended with exit code ${child.exitCode}`);
    await sleep(50);
  }
  throw new Error(`${name} did not start within ${START_TIMEOUT_MS / 1000} s`);
}
