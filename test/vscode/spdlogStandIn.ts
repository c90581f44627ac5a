import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';

/**
 * Stands in for the native module `@vscode/spdlog` in a VS Code host that was installed without native builds, so
 * that log output channels reach their files and the Output view. It implements what VS Code calls of it.
 */

const LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'] as const;
const INFO = 2;

class FileLogger {
  readonly #file: string;
  #level: number = INFO;
  #formatted = true;

  constructor(file: string) {
    this.#file = file;
  }

  #write(level: number, message: string): void {
    if (level < this.#level) return;
    const stamp = new Date().toISOString().replace('T', ' ').replace('Z', '');
    appendFileSync(this.#file, this.#formatted ? `${stamp} [${LEVELS[level]}] ${message}\n` : message);
  }

  trace(message: string): void {
    this.#write(0, message);
  }
  debug(message: string): void {
    this.#write(1, message);
  }
  info(message: string): void {
    this.#write(2, message);
  }
  warn(message: string): void {
    this.#write(3, message);
  }
  error(message: string): void {
    this.#write(4, message);
  }
  critical(message: string): void {
    this.#write(5, message);
  }
  getLevel(): number {
    return this.#level;
  }
  setLevel(level: number): void {
    this.#level = level;
  }
  setPattern(): void {
    this.#formatted = true;
  }
  clearFormatters(): void {
    this.#formatted = false;
  }
  /** Every write is synchronous: there is nothing to flush. */
  flush(): void {
    return;
  }
  drop(): void {
    return;
  }
}

async function createLogger(_name: string, file: string): Promise<FileLogger> {
  mkdirSync(path.dirname(file), { recursive: true });
  return new FileLogger(file);
}

export const version = 0;
export const Logger = FileLogger;
export const createRotatingLogger = createLogger;
export const createAsyncRotatingLogger = createLogger;
export function setLevel(): void {
  return;
}
export function setFlushOn(): void {
  return;
}
