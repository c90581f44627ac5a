#!/usr/bin/env node
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { launchBrowser } from '../support/chromium.ts';
import { openWindow } from './browser.ts';
import { installHost } from './hosts.ts';
import { makeDataDir, removeDataDir, startServer } from './server.ts';
import type { VsCodeServer } from './server.ts';

/**
 * Stands in for VS Code's executable where `@vscode/test-electron` starts one: takes its arguments, runs the suite in
 * the extension host of a real VS Code server, prints what the suite prints and exits with its code.
 */

const SUITE_TIMEOUT_MS = 180_000;
const TIMED_OUT = 98;
const SCREENSHOT = path.resolve(import.meta.dirname, '../../out/screenshots/suite-failure.png');

function values(name: string): string[] {
  const prefix = `--${name}=`;
  return process.argv.filter((arg) => arg.startsWith(prefix)).map((arg) => arg.slice(prefix.length));
}

async function runSuite(server: VsCodeServer, folder: string): Promise<number> {
  const browser = await launchBrowser();
  try {
    const page = await openWindow(browser);
    let report: (code: number) => void = () => undefined;
    const exited = new Promise<number>((resolve) => {
      report = resolve;
    });
    const errors: unknown[][] = [];
    await page.exposeFunction('codeAutomationLog', (level: string, parts: unknown[]) => {
      if (level === 'error') errors.push(parts);
    });
    await page.exposeFunction('codeAutomationExit', report);
    await page.goto(server.url(folder, payload(server)));
    const code = await Promise.race([exited, sleep(SUITE_TIMEOUT_MS, TIMED_OUT, { ref: false })]);
    if (code !== 0) {
      for (const parts of errors) console.error(...parts);
      await page.screenshot({ path: SCREENSHOT });
    }
    if (code === TIMED_OUT) console.error(`The suite did not end within ${SUITE_TIMEOUT_MS} ms`);
    return code;
  } finally {
    await browser.close();
  }
}

/** The arguments of the command line, as the workbench takes them. */
function payload(server: VsCodeServer): [string, string][] {
  return ['extensionDevelopmentPath', 'extensionTestsPath'].flatMap((name) =>
    values(name).map((file): [string, string] => [name, server.uri(file)]),
  );
}

/** Prints the suite's report as it grows: the extension host's own console is full of other things. */
function follow(file: string): () => void {
  let printed = 0;
  const pump = (): void => {
    const content = readFileSync(file);
    process.stdout.write(content.subarray(printed));
    printed = content.byteLength;
  };
  const timer = setInterval(pump, 100);
  return () => {
    clearInterval(timer);
    pump();
  };
}

const folder = process.argv.slice(2).find((arg) => !arg.startsWith('-'));
if (folder === undefined) throw new Error('Name the workspace folder');
const host = await installHost(process.env['TOOLGATE_TEST_HOST'] === 'oldest' ? 'oldest' : 'newest');
const dataDir = makeDataDir();
const report = path.join(dataDir, 'report.txt');
writeFileSync(report, '');
const settings = { 'toolgate.port': 0, 'toolgate.logLevel': 'debug' };
const env = { TOOLGATE_TEST_REPORT: report };
const server = await startServer({ host, dataDir, settings, env, testMode: true });
const unfollow = follow(report);
const code = await runSuite(server, folder).finally(() => {
  server.stop();
  unfollow();
});
if (code === 0) await removeDataDir(dataDir);
else console.error(`Logs: ${dataDir}; picture: ${SCREENSHOT}`);
process.exit(code);
