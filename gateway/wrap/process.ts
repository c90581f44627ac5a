import { isJsonObject, parseJson, type JsonObject } from '../contract/json.ts';
import { startChild } from '../upstream/child.ts';
import { UnavailableError } from '../upstream/errors.ts';
import type { Launch } from '../upstream/launch.ts';
import { LineReader } from '../upstream/lines.ts';
import type { Reaper } from '../upstream/reaper.ts';

/** How much may wait for a server that does not read, in bytes. */
const WAITING_LIMIT = 64 * 1024 * 1024;

export interface WrappedDeps {
  readonly launch: Launch;
  readonly reaper: Reaper;
  /** Takes each JSON-RPC message of the server, with its text as the server wrote it, on one line. */
  readonly onMessage: (message: JsonObject, text: string) => void;
  readonly onStderr: (line: string) => void;
}

/** A stdio server's process, whose messages pass as they are. */
export interface WrappedProcess {
  /** Resolves with words for a person once the process is gone. */
  readonly gone: Promise<string>;
  /** Throws an `UnavailableError` when the server does not take it. */
  send(message: JsonObject): void;
  /** Ends the whole process tree, and resolves when it is gone. */
  stop(): Promise<void>;
}

/** Starts a server. A line that is no JSON object is left out: some servers print greetings there. */
export function startWrapped({ launch, reaper, onMessage, onStderr }: WrappedDeps): WrappedProcess {
  const child = startChild(launch, reaper, onStderr);
  let tooLong: string | undefined;
  const lines = new LineReader(
    (text) => {
      const message = parseJson(text);
      if (isJsonObject(message)) onMessage(message, text);
      else onStderr(`(not a message, left out) ${text.slice(0, 200)}`);
    },
    (reason) => {
      tooLong = reason;
      void child.stop();
    },
  );
  child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
  return {
    gone: child.gone.then((how) => tooLong ?? `the server's process ${how}`),
    send: (message) => {
      if (!child.stdin.writable) throw new UnavailableError("the server's input is closed");
      if (child.stdin.writableLength > WAITING_LIMIT)
        throw new UnavailableError('the server does not read its input');
      child.stdin.write(`${JSON.stringify(message)}\n`);
    },
    stop: () => child.stop(),
  };
}
