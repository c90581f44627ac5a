import { EXIT } from '../contract/ipc.ts';

/** A failure the user is told in plain lines, without a stack; `exitCode` is the program's. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}
