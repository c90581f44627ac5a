import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../support/gateway.ts';

const SUITE = join(ROOT, 'node_modules/@modelcontextprotocol/conformance');
const SCENARIO_TIMEOUT_MS = 20_000;
const SUITE_TIMEOUT_MS = 180_000;
const CLIENTS_AT_ONCE = 3;

export type Revision = '2025-11-25' | '2026-07-28';

/** What became of one scenario: the messages of its failed checks; none when it passed. */
export interface ScenarioResult {
  readonly scenario: string;
  readonly failures: readonly string[];
}

/** What is tested: the server at an address, or the client that a command runs with a server's address added. */
export type Subject = { readonly server: string } | { readonly client: string };

/** Runs the official suite's scenarios that a revision requires of servers, or of clients. */
export async function runSuite(subject: Subject, revision: Revision): Promise<readonly ScenarioResult[]> {
  const side = 'server' in subject ? 'server' : 'client';
  const scenarios = (await required(revision))[side];
  const out = await mkdtemp(join(tmpdir(), 'toolgate-conformance-'));
  try {
    const args = ['--timeout', String(SCENARIO_TIMEOUT_MS), '-o', out];
    if ('server' in subject)
      await run(['server', '--url', subject.server, '--requirements', revision, ...args]);
    else await runClients(subject.client, scenarios, ['--spec-version', revision, ...args]);
    const files = await readdir(out, { recursive: true });
    const prefix = side === 'server' ? 'server-' : '';
    return await Promise.all(scenarios.map((scenario) => readResult(out, files, scenario, prefix)));
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

/** A few at a time: the suite by itself starts all clients at once, each of which is a gateway here. */
async function runClients(
  command: string,
  scenarios: readonly string[],
  args: readonly string[],
): Promise<void> {
  const waiting = [...scenarios];
  const work = async (): Promise<void> => {
    for (let scenario = waiting.shift(); scenario !== undefined; scenario = waiting.shift())
      await run(['client', '--command', command, '--scenario', scenario, ...args]);
  };
  await Promise.all(Array.from({ length: CLIENTS_AT_ONCE }, work));
}

async function required(revision: Revision): Promise<Record<'server' | 'client', readonly string[]>> {
  const text = await readFile(join(SUITE, 'requirements', `${revision}.yaml`), 'utf8');
  return parse(text) as Record<'server' | 'client', string[]>;
}

/** The suite's exit code says whether all passed; the results are read from the files it writes. */
function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const program = join(SUITE, 'dist/index.js');
    const child = spawn(process.execPath, [program, ...args], { stdio: 'ignore', timeout: SUITE_TIMEOUT_MS });
    child.once('error', reject);
    child.once('close', () => resolve());
  });
}

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

async function readResult(
  out: string,
  files: readonly string[],
  scenario: string,
  prefix: string,
): Promise<ScenarioResult> {
  const pattern = new RegExp(`^${prefix}${scenario}-\\d{4}-\\d\\d-\\d\\dT[^/]*/checks\\.json$`);
  const file = files.find((name) => pattern.test(name));
  if (file === undefined) return { scenario, failures: ['the suite left no result'] };
  const checks = JSON.parse(await readFile(join(out, file), 'utf8')) as readonly Check[];
  const failures = checks
    .filter(({ status }) => status === 'FAILURE')
    .map(({ id, errorMessage }) => `${id}: ${errorMessage ?? 'failed'}`);
  const passed = checks.some(({ status }) => status === 'SUCCESS');
  return { scenario, failures: passed || failures.length > 0 ? failures : ['no check succeeded'] };
}
