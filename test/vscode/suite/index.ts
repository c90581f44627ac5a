import { appendFileSync, writeFileSync } from 'node:fs';
import { format } from 'node:util';
import type MochaRunner from 'mocha';
import { activationSuite } from './activation.ts';
import { approvalsSuite } from './approvals.ts';
import { budgetsSuite } from './budgets.ts';
import { configHelpSuite } from './configHelp.ts';
import { configurationSuite } from './configuration.ts';
import { gatewayToolsSuite } from './gatewayTools.ts';
import { lifecycleSuite } from './lifecycle.ts';
import { playgroundSuite } from './playground.ts';
import { reviewSuite } from './review.ts';
import { tokensSuite } from './tokens.ts';

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

/** What VS Code calls in the extension host: runs every suite; rejects when a test failed. */
export async function run(): Promise<void> {
  const report = required('TOOLGATE_TEST_REPORT');
  // Mocha is an ES module, which `require` gives in a shape that depends on the version of Node.js.
  const { default: Mocha } = await import('mocha');
  Mocha.reporters.Base.consoleLog = (...parts: unknown[]) => {
    appendFileSync(report, `${format(...parts)}\n`);
  };
  const mocha = new Mocha({ ui: 'bdd', timeout: 30_000, color: false, reporter: 'spec' });
  mocha.suite.emit('pre-require', globalThis, '', mocha);
  activationSuite();
  gatewayToolsSuite();
  playgroundSuite();
  reviewSuite();
  tokensSuite();
  approvalsSuite();
  budgetsSuite();
  configHelpSuite();
  configurationSuite();
  lifecycleSuite();
  const stats = await new Promise<MochaRunner.Stats | undefined>((resolve) => {
    const runner = mocha.run(() => {
      resolve(runner.stats);
    });
  });
  const counts = { passed: stats?.passes ?? 0, failed: stats === undefined ? 1 : stats.failures };
  writeFileSync(required('TOOLGATE_TEST_COUNTS'), JSON.stringify(counts));
  if (counts.failed > 0) throw new Error(`${counts.failed} tests failed`);
}
