import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { configOf } from '../support/configs.ts';
import { startGateway } from '../support/gateway.ts';
import { startWrap } from '../support/wrap.ts';
import { FIXTURE, startFixture } from './fixture.ts';
import { startShim } from './shim.ts';
import { runSuite, type Revision, type ScenarioResult, type Subject } from './suite.ts';

/**
 * Runs the official conformance suite against the built gateway, with our fixture server behind it over each
 * transport, and against the fixture itself, so that a failure of the one is not taken for one of the other; and
 * its client scenarios against the gateway as the client of the suite's own servers.
 * The last line is `N passed, N failed`. A known failure of `baseline.yaml` counts as neither; an entry there that
 * does not fail any more counts as failed. An argument picks the cells whose names contain it.
 */
const [wanted] = process.argv.slice(2);
const DRIVER = join(import.meta.dirname, 'client-driver.ts');
const LEGACY = '2025-11-25';
const MODERN = '2026-07-28';

const baselineSchema = z.record(z.string(), z.record(z.string(), z.string().min(1)));
/** Per cell the scenarios that are known to fail, each with the reason. */
type Baseline = z.infer<typeof baselineSchema>;

const baseline = baselineSchema.parse(
  parse(await readFile(join(import.meta.dirname, 'baseline.yaml'), 'utf8')) ?? {},
);
const fixture = await startFixture();
const wrapper = await startWrap(['node', FIXTURE]);
const gateway = await startGateway({
  config: configOf({
    conformance: [
      `{ name: legacy-http, url: "${fixture.url}", allowPrivateAddress: true, protocol: legacy }`,
      `{ name: legacy-stdio, command: node, args: ["${FIXTURE}"], protocol: legacy }`,
      `{ name: legacy-sse, url: "${wrapper.address}/sse", transport: sse, allowPrivateAddress: true }`,
      `{ name: modern-http, url: "${fixture.url}", allowPrivateAddress: true, protocol: modern }`,
      `{ name: modern-stdio, command: node, args: ["${FIXTURE}"], protocol: modern }`,
    ],
  }),
});
const shim = await startShim(gateway.address, gateway.token);
const through = (server: string): Subject => ({ server: `${shim.address}/mcp/conformance/${server}` });
const client = { client: `${process.execPath} ${DRIVER}` };
/** What is tested, by which revision's requirements; a cell of the gateway is the client's era over the server's. */
const cells: Readonly<Record<string, readonly [Subject, Revision]>> = {
  'fixture itself, legacy': [{ server: fixture.url }, LEGACY],
  'fixture itself, modern': [{ server: fixture.url }, MODERN],
  'legacy over legacy, http': [through('legacy-http'), LEGACY],
  'legacy over legacy, stdio': [through('legacy-stdio'), LEGACY],
  'legacy over legacy, sse': [through('legacy-sse'), LEGACY],
  'legacy over modern, http': [through('modern-http'), LEGACY],
  'legacy over modern, stdio': [through('modern-stdio'), LEGACY],
  'modern over legacy, http': [through('legacy-http'), MODERN],
  'modern over legacy, stdio': [through('legacy-stdio'), MODERN],
  'modern over modern, http': [through('modern-http'), MODERN],
  'modern over modern, stdio': [through('modern-stdio'), MODERN],
  'wrapper, legacy': [{ server: `${wrapper.address}/mcp` }, LEGACY],
  'wrapper, modern': [{ server: `${wrapper.address}/mcp` }, MODERN],
  'gateway as client, legacy': [client, LEGACY],
  'gateway as client, modern': [client, MODERN],
};
const totals = { passed: 0, failed: 0 };
try {
  for (const [cell, [subject, revision]] of Object.entries(cells))
    if (wanted === undefined || cell.includes(wanted))
      report(`${cell} (${revision})`, await runSuite(subject, revision), baseline[cell] ?? {});
  const unknown = Object.keys(baseline).filter((cell) => !(cell in cells));
  for (const cell of unknown) fail(`baseline.yaml names the unknown cell "${cell}"`);
} finally {
  await shim.close();
  await gateway.stop();
  await wrapper.stop();
  fixture.stop();
}
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 ? 0 : 1;

function report(cell: string, results: readonly ScenarioResult[], reasons: Baseline[string]): void {
  const passing = results.filter(({ failures }) => failures.length === 0).length;
  console.log(`\n${cell}: ${passing} of ${results.length} scenarios`);
  for (const { scenario, failures } of results) {
    const reason = reasons[scenario];
    if (failures.length === 0 && reason === undefined) totals.passed++;
    else if (failures.length === 0) fail(`${scenario} passes; take it out of baseline.yaml`);
    else if (reason !== undefined) console.log(`  known  ${scenario}: ${reason}`);
    else fail(`${scenario}\n         ${failures.join('\n         ')}`);
  }
  const stale = Object.keys(reasons).filter((name) => !results.some(({ scenario }) => scenario === name));
  for (const name of stale) fail(`baseline.yaml names the unknown scenario "${name}" of ${cell}`);
}

function fail(message: string): void {
  totals.failed++;
  console.log(`  FAILED ${message}`);
}
