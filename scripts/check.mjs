import { spawn } from 'node:child_process';
import { environment, ROOT } from './install.mjs';

/** `npm run check`: types, lint, formatting and import boundaries, two at a time; what each printed comes in one piece. */
const LANES = [
  [['eslint', '.']],
  [
    ['tsc', '-b'],
    ['prettier', '--check', '--log-level', 'warn', '.'],
    ['depcruise', 'gateway', 'extension', 'webview', 'examples', 'test'],
  ],
];

const results = await Promise.all(LANES.map(inTurn));
process.exit(results.flat().every((passed) => passed) ? 0 : 1);

async function inTurn(commands) {
  const passed = [];
  for (const command of commands) passed.push(await run(command));
  return passed;
}

function run([program, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: ROOT,
      env: environment(),
      shell: process.platform === 'win32',
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
    child.once('error', (error) => (output += `${program}: ${error.message}\n`));
    child.once('close', (code) => {
      process.stdout.write(output);
      if (code !== 0) console.error(`${program} failed`);
      resolve(code === 0);
    });
  });
}
