import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { environment, install, NODE, ROOT, run } from './install.mjs';

/** `npm start`: installs, builds what is out of date, and runs the gateway with the demo configuration. */
install();
if (outOfDate()) {
  console.log('Building…');
  run(NODE, ['esbuild.mjs']);
}

const program = join(ROOT, 'dist', 'gateway.js');
const config = join(ROOT, 'examples', 'demo', 'toolgate.yaml');
const args = [
  'serve',
  '--config',
  config,
  '--session-token',
  '--log-level',
  'warn',
  ...process.argv.slice(2),
];
const child = spawn(NODE, [program, ...args], { stdio: 'inherit', env: environment(), cwd: process.cwd() });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => process.exit(code ?? 1));

/** True when a source is newer than the build. */
function outOfDate() {
  const built = join(ROOT, 'dist', 'gateway.js');
  if (!existsSync(built)) return true;
  const newest = (folder) =>
    Math.max(
      ...readdirSync(folder, { withFileTypes: true }).map((entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? newest(path) : statSync(path).mtimeMs;
      }),
    );
  const sources = ['gateway', 'extension', 'webview', 'examples'].map((name) => newest(join(ROOT, name)));
  return Math.max(...sources, statSync(join(ROOT, 'package.json')).mtimeMs) > statSync(built).mtimeMs;
}
