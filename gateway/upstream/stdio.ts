import type { Writable } from 'node:stream';
import { parseJson, type JsonObject } from '../contract/json.ts';
import { startChild } from './child.ts';
import { initialize, type ClientDescription, type Connection, type ConnectionEvents } from './connection.ts';
import { UnavailableError } from './errors.ts';
import type { Launch } from './launch.ts';
import { LineReader } from './lines.ts';
import { Peer, type Transport } from './peer.ts';
import type { Reaper } from './reaper.ts';

export interface StdioDeps {
  readonly launch: Launch;
  readonly reaper: Reaper;
  readonly client: ClientDescription;
  readonly events: ConnectionEvents;
  /** Bounds the start and the handshake. */
  readonly signal: AbortSignal;
}

/**
 * Starts a server's process and speaks MCP over its standard input and output (MCP 2025-11-25, Transports,
 * stdio). The process belongs to the connection: when one ends, so does the other.
 */
export async function connectStdio(deps: StdioDeps): Promise<Connection> {
  const child = startChild(deps.launch, deps.reaper, deps.events.onStderr);
  const transport: Transport = { send: batchedWriter(child.stdin), close: child.stop };
  const peer = new Peer(transport, deps.events);
  let closing = false;

  const lines = new LineReader(
    // A server that prints something else on its output than messages is tolerated: the line is ignored.
    (line) => peer.receive(parseJson(line)),
    (reason) => {
      peer.end(new UnavailableError(reason));
      void child.stop();
    },
  );
  child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
  void child.gone.then((how) => {
    peer.end(new UnavailableError(`the server's process ${how}`));
    if (!closing) deps.events.onLost(`the server's process ${how}`);
  });

  try {
    const handshake = await initialize(peer, deps.client, deps.signal);
    await peer.notify('notifications/initialized');
    return {
      era: 'legacy',
      handshake,
      request: (method, params, options) => peer.request(method, params, options),
      notify: (method, params) => peer.notify(method, params),
      close: () => {
        closing = true;
        return child.stop();
      },
    };
  } catch (error) {
    closing = true;
    await child.stop();
    throw error;
  }
}

/** How much may wait for a server that does not read, in bytes. */
const WAITING_LIMIT = 64 * 1024 * 1024;

/** A pipe's exchanges are never over: an answer may come at any time. */
const WRITTEN = Promise.resolve(false);

/** All messages of one turn of the event loop go out in one write: a system call each is what costs. */
function batchedWriter(stream: Writable): (message: JsonObject) => Promise<boolean> {
  let batch = '';
  const flush = (): void => {
    const text = batch;
    batch = '';
    if (stream.writable) stream.write(text);
  };
  return (message) => {
    if (!stream.writable) return Promise.reject(new UnavailableError("the server's input is closed"));
    if (stream.writableLength > WAITING_LIMIT) {
      return Promise.reject(new UnavailableError('the server does not read its input'));
    }
    if (batch === '') setImmediate(flush);
    batch += `${JSON.stringify(message)}\n`;
    return WRITTEN;
  };
}
