import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { environment, install, NODE, ROOT, run } from './install.mjs';

/**
 * `npm test`: everything. Types, lint and boundaries; unit tests; the built program end to end; the official MCP
 * conformance suite; the console in a browser; the packaged extension in the oldest and the newest VS Code. Ends
 * with `N passed, N failed`. A word as argument runs only the steps whose name holds it: `npm test -- e2e`.
 */
const OUT = join(ROOT, 'out');
const only = process.argv[2];
const totals = { passed: 0, failed: 0 };
/** So many failing files are a slow moment; more are a fault, and are not run again. */
const RUN_AGAIN = 5;
/** What failed, said once more at the end: whoever reads a log reads that first. */
const failures = [];

install();
mkdirSync(OUT, { recursive: true });
await step('check', () => run('npm', ['run', '--silent', 'check']));
await step('build', () => run('npm', ['run', '--silent', 'package']), true);
await step('unit', () => vitest('unit'));
await step('e2e', () => vitest('e2e', true));
await step('conformance', () => counted(['test/conformance/run.ts']));
if (wanted('browser') || wanted('vscode')) browser();
await step('browser', () => vitest('browser', true));
// Half of their time each waits for a window of VS Code.
await Promise.all(
  ['newest', 'oldest'].map((version) =>
    step(`vscode-${version}`, () => counted(['test/vscode/run-suite.ts', version], true)),
  ),
);
await step('vscode-journey', () => counted(['test/vscode/run-journey.ts'], true));
await step('vscode-oauth', () => counted(['test/vscode/run-oauth.ts'], true));

if (failures.length > 0) console.log(`\n— failed\n${failures.join('\n')}`);
console.log(`\n${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);

function wanted(name) {
  return only === undefined || name.includes(only) || only.includes(name);
}

/** What the work resolves with is printed in one piece: steps may run side by side. */
async function step(name, work, always = false) {
  if (!always && !wanted(name)) return;
  const began = Date.now();
  console.log(`\n— ${name}`);
  process.stdout.write((await work()) ?? '');
  console.log(`  ${name} took ${((Date.now() - began) / 1000).toFixed(0)} s`);
}

/**
 * A vitest project; its counts come from its own JSON report. With `again`, a few files that fail are run a second
 * time by themselves, with processes and data folders of their own, and the second run counts: what starts programs
 * and browsers meets slow moments of the machine. Both runs stand in the output.
 */
function vitest(project, again = false) {
  const first = reported(project);
  if (first === undefined) return fail(`${project} wrote no report`);
  const [failed, passed] = [first.filter(isFailed), first.filter((file) => !isFailed(file))];
  count(passed);
  if (failed.length === 0) return;
  if (!again || failed.length > RUN_AGAIN) return count(failed);
  const files = failed.map(({ name }) => relative(ROOT, name));
  console.log(`${files.join(', ')} failed, and run once more:\n${failed.flatMap(failuresOf).join('\n')}`);
  count(reported(project, files) ?? failed);
}

/** The results of a project's files, or of some, one for each file; nothing when the run wrote no report. */
function reported(project, files = []) {
  const report = join(OUT, `vitest-${project}.json`);
  rmSync(report, { force: true });
  const output = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const { status } = spawnSync('vitest', ['run', '--project', project, ...output, ...files], {
    cwd: ROOT,
    stdio: 'inherit',
    env: environment(),
    shell: process.platform === 'win32',
  });
  if (!existsSync(report)) return undefined;
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
  if (status !== 0 && !testResults.some(isFailed)) fail(`${project} failed outside of its tests`);
  return testResults;
}

function isFailed({ status }) {
  return status === 'failed';
}

function count(files) {
  for (const file of files) {
    const failed = isFailed(file) ? failuresOf(file) : [];
    totals.passed += file.assertionResults.filter(({ status }) => status === 'passed').length;
    totals.failed += failed.length;
    failures.push(...failed);
  }
}

/** What failed in a file of tests: each test with the head of its message, or why the file did not load. */
function failuresOf({ name, message, assertionResults }) {
  const file = relative(ROOT, name);
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  if (failed.length === 0) return [`${file}: ${head(message)}`];
  return failed.map(({ fullName, failureMessages }) => `${file} > ${fullName}: ${head(failureMessages[0])}`);
}

function head(message = '') {
  return message.split('\n').slice(0, 6).join('\n').slice(0, 600);
}

/**
 * A runner of ours; its last line is `N passed, N failed`. With `again`, one that fails is run a second time, which
 * then counts: a whole VS Code on a busy machine is not ours to make steady. Resolves with what it printed, in both runs.
 */
async function counted(args, again = false) {
  const { stdout, status } = await printed(args);
  const [, passed, failed] = /(\d+) passed, (\d+) failed\s*$/.exec(stdout) ?? [];
  if (again && (status !== 0 || failed !== '0'))
    return `${stdout}\n${args.join(' ')} failed, and is run once more\n${await counted(args)}`;
  if (passed === undefined) fail(`${args.join(' ')} ended without its count (exit code ${status})`);
  else {
    totals.passed += Number(passed);
    totals.failed += Math.max(Number(failed), status === 0 ? 0 : 1);
    if (failed !== '0' || status !== 0)
      failures.push(`${args.join(' ')}: ${failed} failed, exit code ${status}`);
  }
  return stdout;
}

/** Runs a program of ours to its end, for some minutes at most. */
function printed(args) {
  return new Promise((resolve) => {
    const child = spawn(NODE, args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: environment(),
      timeout: 8 * 60_000,
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.once('error', (error) => resolve({ stdout: `${stdout}${error.message}\n`, status: null }));
    child.once('close', (status) => resolve({ stdout, status }));
  });
}

function fail(message) {
  console.error(message);
  failures.push(message);
  totals.failed++;
}

/** Sees to a Chromium for the tests of pages: the one on this machine, or Debian's. */
function browser() {
  const known = [
    process.env.CHROMIUM_PATH,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ];
  let found = known.find((path) => path !== undefined && existsSync(path));
  if (found === undefined && existsSync('/usr/bin/apt-get') && process.getuid?.() === 0) {
    console.log('\n— installing Chromium from Debian');
    run('apt-get', ['update', '-qq']);
    run('apt-get', ['install', '-y', '-qq', 'chromium']);
    found = '/usr/bin/chromium';
  }
  if (found === undefined) {
    console.error('The tests of pages need Chromium or Chrome: install one, or name it in CHROMIUM_PATH.');
    process.exit(1);
  }
  process.env.CHROMIUM_PATH = found;
}
