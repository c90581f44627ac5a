import { pino, type DestinationStream, type Logger } from 'pino';

/** The gateway's log: one JSON object a line. It carries shapes and names, never secrets or payloads. */
export type Log = Logger;

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** A log to standard error, or to `destination`. */
export function createLog(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ fd: 2, sync: true }),
): Log {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
