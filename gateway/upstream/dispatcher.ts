import { lookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { Agent, buildConnector, type Dispatcher } from 'undici';

/** Keep-alive connection pools towards servers and providers, one with and one without private addresses. */
export interface Dispatchers {
  /** The pool to use; without consent, connections to other than public addresses are refused when dialled. */
  for(allowPrivateAddress: boolean): Dispatcher;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Waiting is bounded by the callers' own signals, so undici's timers for headers and body are off. Redirects are
 * not followed: a server that moved says so in its error.
 */
export function createDispatchers(): Dispatchers {
  const limits = { headersTimeout: 0, bodyTimeout: 0, connections: 256 };
  const open = new Agent({ ...limits, connect: { timeout: CONNECT_TIMEOUT_MS } });
  const guarded = new Agent({ ...limits, connect: guardedConnector() });
  return {
    for: (allowPrivateAddress) => (allowPrivateAddress ? open : guarded),
    close: async () => {
      await Promise.all([open.destroy(), guarded.destroy()]);
    },
  };
}

/**
 * Checks the address that is really dialled, after name resolution, so that a name that changes its address
 * between a check and the connection gains nothing.
 */
function guardedConnector(): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS, lookup: guardedLookup });
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    if (isIP(host) !== 0 && !isPublic(host)) return callback(privateAddress(host, host), null);
    return connect(options, callback);
  };
}

const guardedLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    if (error) return callback(error, '', 0);
    const refused = addresses.find(({ address }) => !isPublic(address));
    if (refused) return callback(privateAddress(hostname, refused.address), '', 0);
    if (options.all) return callback(null, addresses);
    const [first] = addresses;
    return callback(null, first?.address ?? '', first?.family ?? 0);
  });
};

/** All of IPv6 that is assigned for global use (IANA); the rest holds IPv4 addresses in other clothes. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');

/** Of the public range, and yet the machine's own platform: Azure's, which gives out credentials. */
const PLATFORM: readonly string[] = ['168.63.129.16'];

function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (PLATFORM.includes(parsed.toString())) return false;
  return parsed.range() === 'unicast' && (!(parsed instanceof ipaddr.IPv6) || parsed.match(GLOBAL_IPV6));
}

function privateAddress(host: string, address: string): Error {
  return new Error(
    `${host} is at ${address}, which is not a public address; allow it with allowPrivateAddress: true`,
  );
}
