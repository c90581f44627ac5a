import type { DestinationStream } from 'pino';

const LEVELS: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** Writes log lines for a person's eyes: time, level, server, message and the reason. */
export function terminalDestination(stream: NodeJS.WritableStream): DestinationStream {
  return {
    write: (line) => {
      const { time, level, msg, server, reason, err } = JSON.parse(line) as Record<string, unknown>;
      const words = [server, msg, reason ?? (err as { message?: unknown } | undefined)?.message];
      const said = words.filter((word) => typeof word === 'string').join(': ');
      stream.write(`${String(time).slice(11, 19)} ${LEVELS[Number(level)] ?? 'info'} ${said}\n`);
    },
  };
}
