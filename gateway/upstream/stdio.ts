import type { Writable } from 'node:stream';
import { type JsonObject } from '../contract/json.ts';
import { startChild } from './child.ts';
import {
  initialize,
  type ClientDescription,
  type Connection,
  type ConnectionEvents,
  type Era,
} from './connection.ts';
import { UnavailableError } from './errors.ts';
import { parseMessage } from './message.ts';
import type { Launch } from './launch.ts';
import { LineReader } from './lines.ts';
import { LogRoute } from './log-route.ts';
import { listenToLists, modernRequest } from './modern.ts';
import { discoverServer, negotiate, type Approach } from './negotiation.ts';
import { Peer, type Transport } from './peer.ts';
import type { Reaper } from './reaper.ts';

export interface StdioDeps {
  readonly launch: Launch;
  readonly reaper: Reaper;
  readonly approach: Approach;
  readonly client: ClientDescription;
  readonly events: ConnectionEvents;
  /** Bounds the start and the handshake. */
  readonly signal: AbortSignal;
}

/**
 * Starts a server's process and speaks MCP over its standard input and output, in the server's era (MCP 2026-07-28
 * and 2025-11-25, Transports, stdio). The process belongs to the connection: when one ends, so does the other. A
 * process that ends when it is asked for its era, or has committed itself to another than turns out to be the right
 * one, is started once more.
 */
export async function connectStdio(deps: StdioDeps): Promise<Connection> {
  const { approach, signal } = deps;
  try {
    return await start(deps);
  } catch (error) {
    if (!(error instanceof StartAgain) || signal.aborted) throw error;
    const { memory } = approach;
    if (error.as === 'modern') return await start({ ...deps, approach: { protocol: 'modern', memory } });
    memory.shyAt = Date.now();
    try {
      return await start(deps);
    } catch (failure) {
      // It was not the question that ended it.
      memory.shyAt = undefined;
      throw failure;
    }
  }
}

class StartAgain extends UnavailableError {
  readonly as: Era;

  constructor(as: Era, message: string) {
    super(message);
    this.as = as;
  }
}

/** How far a connection has come. */
interface Opening {
  /** `server/discover` was sent, and nothing else yet. */
  asking: boolean;
  /** It is open: from here on its end is a loss. */
  done: boolean;
  /** How the process ended, in words. */
  ended?: string;
}

async function start(deps: StdioDeps): Promise<Connection> {
  const { approach, client, events, signal } = deps;
  const child = startChild(deps.launch, deps.reaper, events.onStderr);
  const transport: Transport = { send: batchedWriter(child.stdin), close: child.stop };
  const logs = new LogRoute();
  const peer = new Peer(transport, logs.before(events));
  const opening: Opening = { asking: false, done: false };

  const lines = new LineReader(
    (line) => {
      const message = parseMessage(line);
      // A server that prints something else on its output than messages is tolerated, and told of.
      if (message === undefined) events.onStderr(`(not a message on its output) ${line.slice(0, 200)}`);
      else peer.receive(message);
    },
    (reason) => {
      peer.end(new UnavailableError(reason));
      void child.stop();
    },
  );
  child.stdout.on('data', (chunk: Buffer) => lines.push(chunk));
  const over = new AbortController();
  void child.gone.then((how) => {
    const words = `the server's process ${how}`;
    opening.ended = words;
    over.abort();
    peer.end(new UnavailableError(words));
    if (opening.done) events.onLost(words);
  });

  try {
    const { era, handshake, late } = await negotiate(
      approach,
      {
        discover: (until) => {
          opening.asking = true;
          return discoverServer(peer, client, until);
        },
        initialize: async (until) => {
          opening.asking = false;
          const said = await initialize(peer, client, until);
          await peer.notify('notifications/initialized');
          return said;
        },
      },
      signal,
    );
    if (late === true) throw new StartAgain('modern', 'the server turned out to be of the modern era');
    const connection = era === 'legacy' ? legacyRequest(peer) : logs.following(modernRequest(peer, client));
    if (era === 'modern') void listenToLists(connection, handshake, events, over.signal);
    if (opening.ended !== undefined) throw new UnavailableError(opening.ended);
    opening.done = true;
    return {
      era,
      handshake,
      request: connection,
      notify: (method, params) => peer.notify(method, params),
      close: () => {
        opening.done = false;
        over.abort();
        return child.stop();
      },
    };
  } catch (error) {
    const { ended, asking } = opening;
    await child.stop();
    if (ended !== undefined && asking && approach.protocol === 'auto') throw new StartAgain('legacy', ended);
    throw error;
  }
}

function legacyRequest(peer: Peer): Connection['request'] {
  return (method, params, options) => peer.request(method, params, options);
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
    if (!stream.writable)
      return Promise.reject(new UnavailableError("the server's input is closed", { unsent: true }));
    if (stream.writableLength > WAITING_LIMIT) {
      return Promise.reject(new UnavailableError('the server does not read its input', { unsent: true }));
    }
    if (batch === '') setImmediate(flush);
    batch += `${JSON.stringify(message)}\n`;
    return WRITTEN;
  };
}
