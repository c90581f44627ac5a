import { isJsonObject } from '../gateway/contract/json.ts';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

const LONGEST_LINE = 4_000;
/** What every line carries and the log channel shows by itself, or nobody needs. */
const COMMON_FIELDS = new Set(['level', 'time', 'pid', 'hostname', 'msg']);

export interface LogEntry {
  readonly level: LogLevel;
  readonly text: string;
}

/** A line of the gateway's log, which is pino's JSON; undefined for any other line. */
export function readLogLine(line: string): LogEntry | undefined {
  const entry = parse(line);
  if (typeof entry?.['level'] !== 'number') return undefined;
  const facts = Object.entries(entry).filter(([key]) => !COMMON_FIELDS.has(key));
  const message = typeof entry['msg'] === 'string' ? entry['msg'] : '';
  const text = facts.length === 0 ? message : `${message} ${JSON.stringify(Object.fromEntries(facts))}`;
  return { level: pinoLevel(entry['level']), text: text.trim().slice(0, LONGEST_LINE) };
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function pinoLevel(level: number): LogLevel {
  if (level >= 50) return 'error';
  if (level >= 40) return 'warn';
  if (level >= 30) return 'info';
  return level >= 20 ? 'debug' : 'trace';
}
