import type { IncomingMessage } from 'node:http';
import { isLoopback, type ListenConfig } from '../config/listen.ts';

/** How this gateway is reached. Names are compared exactly, port included. */
export interface OwnAddress {
  /** The base address for a person to use. */
  base(): string;
  /** What the Host header may be. */
  hosts(): readonly string[];
  /** Which web origins may ask. */
  origins(): readonly string[];
  /** The origin that a request was sent to; its Host has been admitted. */
  originOf(req: IncomingMessage): string;
}

const WILDCARDS = ['0.0.0.0', '::'];

/** `port` is known once the gateway listens, which is before the first request. */
export function createOwnAddress(listen: ListenConfig, port: () => number): OwnAddress {
  const own = listen.tls !== undefined && listen.tls !== 'terminated-upstream' ? 'https' : 'http';
  const behind = listen.tls === undefined ? 'http' : 'https';
  const publicHost = listen.publicUrl === undefined ? [] : [new URL(listen.publicUrl).host];
  const once = <T>(make: () => T): (() => T) => {
    let made: T | undefined;
    return () => (made ??= make());
  };
  const local = once(() => ['127.0.0.1', 'localhost', '[::1]'].map((name) => `${name}:${port()}`));
  const far = once(() => {
    const direct =
      isLoopback(listen.host) || WILDCARDS.includes(listen.host) ? [] : withPort(listen.host, port(), behind);
    return [...publicHost, ...direct, ...listen.hosts];
  });
  const hosts = once(() => [...new Set([...local(), ...far()])]);
  const origins = once(() => [
    ...new Set([
      ...local().map((name) => `${own}://${name}`),
      ...far().map((name) => `${behind}://${name}`),
      ...listen.origins,
    ]),
  ]);
  return {
    base: () =>
      listen.publicUrl ??
      `${own}://${bracketed(WILDCARDS.includes(listen.host) ? '127.0.0.1' : listen.host)}:${port()}`,
    hosts,
    origins,
    originOf: ({ headers: { host = '' } }) => `${local().includes(host) ? own : behind}://${host}`,
  };
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Clients leave out the port that the scheme has anyway. */
function withPort(host: string, port: number, scheme: string): string[] {
  const name = bracketed(host);
  return port === (scheme === 'https' ? 443 : 80) ? [name, `${name}:${port}`] : [`${name}:${port}`];
}
