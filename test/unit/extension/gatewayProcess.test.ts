import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { launchGateway } from '../../../extension/gatewayProcess.ts';
import type { ChildExit, GatewayChild } from '../../../extension/gatewaySupervisor.ts';
import type { ChildMessage } from '../../../gateway/contract/ipc.ts';

const START = {
  type: 'start',
  configFile: '/toolgate.yaml',
  dataDir: '/data',
  port: 0,
  ownerToken: 'the-token',
  secrets: { name: 'the-secret' },
  logLevel: 'info',
} as const;

describe('launchGateway', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'toolgate-process-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Launches a real process that runs this code; resolves with what it sent when it has ended. */
  async function run(
    code: string,
    act: (child: GatewayChild, message: ChildMessage) => void = () => undefined,
    onKeep: (name: string, value: string | null) => Promise<void> = () => Promise.resolve(),
  ): Promise<{ exit: ChildExit; messages: ChildMessage[]; log: string[] }> {
    const program = path.join(folder, 'gateway.cjs');
    await writeFile(program, code);
    const messages: ChildMessage[] = [];
    const log: string[] = [];
    const exit = await new Promise<ChildExit>((resolve) => {
      const child = launchGateway(
        {
          program,
          start: START,
          onLog: ({ level, text }) => log.push(`${level}: ${text}`),
          onKeep,
        },
        {
          onMessage: (message) => {
            messages.push(message);
            act(child, message);
          },
          onExit: resolve,
        },
      );
    });
    return { exit, messages, log };
  }

  const READY = `process.send({ type: 'ready', address: 'http://127.0.0.1:1', pid: process.pid, version: '1' });`;

  it('hands everything over by IPC, and nothing secret by arguments or environment', async () => {
    const { messages } = await run(`
      process.once('message', (start) => {
        const open = JSON.stringify([process.argv, process.env]);
        const leaked = open.includes(start.ownerToken) || open.includes(start.secrets.name);
        process.send({ type: 'failed', message: leaked ? 'leaked' : JSON.stringify(start), exitCode: 0 });
        process.disconnect();
      });`);
    expect(messages).toEqual([{ type: 'failed', message: JSON.stringify(START), exitCode: 0 }]);
  });

  it('keeps what the gateway asks for, says how that went, and hands over what has changed', async () => {
    const kept: (string | null)[][] = [];
    const answers: unknown[] = [];
    await run(
      `
      process.on('message', (message) => {
        if (message.type === 'start') {
          process.send({ type: 'keep', id: 1, name: 'a', value: 'x' });
          process.send({ type: 'keep', id: 2, name: 'b', value: null });
        } else {
          process.send({ type: 'failed', message: JSON.stringify(message), exitCode: 0 });
          if (message.type === 'secrets') process.disconnect();
        }
      });`,
      (child, message) => {
        answers.push(JSON.parse('message' in message ? message.message : '{}'));
        if (answers.length === 2) child.tell({ c: 'z' });
      },
      (name, value) => {
        kept.push([name, value]);
        return value === null ? Promise.reject(new Error('the keyring is locked')) : Promise.resolve();
      },
    );
    expect(kept).toEqual([
      ['a', 'x'],
      ['b', null],
    ]);
    expect(answers).toEqual([
      { type: 'kept', id: 1 },
      { type: 'kept', id: 2, error: 'the keyring is locked' },
      { type: 'secrets', secrets: { c: 'z' } },
    ]);
  });

  it('passes on the log, the errors and how the process ended', async () => {
    const { exit, log } = await run(`
      console.error('{"level":40,"msg":"look out"}'); console.error('it hurts'); process.exit(3);`);
    expect(log).toEqual(['warn: look out', 'error: it hurts']);
    expect(exit).toEqual({ code: 3, signal: null, stderrTail: ['it hurts'] });
  });

  it('asks the process to stop', async () => {
    const { exit } = await run(
      `process.on('message', ({ type }) => { if (type === 'stop') process.exit(0); }); ${READY}`,
      (child) => void child.stop(),
    );
    expect(exit).toMatchObject({ code: 0, signal: null });
  });

  it('kills a process that does not stop within 5 s', async () => {
    const { exit } = await run(`setInterval(() => {}, 1000); ${READY}`, (child) => void child.stop());
    expect(exit).toMatchObject({ code: null, signal: 'SIGKILL' });
  }, 8_000);

  it('names a message that is not of the contract instead of taking it', async () => {
    const { messages, log } = await run(`process.send({ type: 'surprise' }, () => process.exit(0));`);
    expect(messages).toEqual([]);
    expect(log.join()).toMatch(/unknown message/);
  });
});
