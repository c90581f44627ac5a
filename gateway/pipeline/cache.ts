import type { Owner, Pending, ResultCache } from '../cache/result-cache.ts';
import { signsInEach } from '../config/oauth.ts';
import { placeholdersOf } from '../config/placeholders.ts';
import type { CachePolicy } from '../config/policies/cache.ts';
import type { ServerConfig } from '../config/schema.ts';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Catalog } from '../registry/catalog.ts';
import type { CatalogTool } from '../registry/entry.ts';
import type { Call, Next, Outcome, Stage } from './call.ts';
import { digestOf } from './canonical.ts';
import { refuse } from './refuse.ts';
import type { Ruling } from './ruling.ts';
import { serverOf, toolOf, wayOf } from './way.ts';

const META = 'toolgate/cache';

/** Where a call's result is kept, and for how long at most. */
interface Place {
  readonly key: string;
  readonly owner: Owner;
  readonly policy: CachePolicy;
}

/** A call under way that equal ones wait for. */
interface Flight {
  readonly pending: Pending;
  readonly outcome: Promise<Outcome>;
}

/**
 * Answers calls of tools that only read from what was kept, as the policies say; equal calls that are under way together
 * are made once. A call that may write makes the gateway forget what its server has answered to the same caller.
 */
export function cacheStage(cache: ResultCache, ruling: () => Ruling, catalog: Catalog): Stage {
  const flights = new Map<string, Flight>();
  const digests = new WeakMap<object, string>();
  const digestOnce = (value: object): string => {
    let digest = digests.get(value);
    if (digest === undefined) digests.set(value, (digest = digestOf(value)));
    return digest;
  };
  return (call, next) => {
    const { policies, facts } = ruling();
    if (policies.cache.length === 0 || call.target.kind !== 'tool') return next(call);
    const seen = facts.call(call);
    const tool = toolOf(call, catalog);
    if (seen === undefined || tool === undefined) return next(call);
    const serverId = serverOf(call, catalog);
    const policy = policies.cache.find(({ applies }) => applies(seen))?.policy;
    const reads = tool.annotations?.readOnlyHint === true;
    if (policy === undefined || !(reads || isNamed(policy, serverId, tool)) || isTalk(call))
      return reads ? next(call) : forgetting(cache, serverId, call, next);
    const config = catalog.entry(serverId)?.config;
    if (config === undefined || config.process?.isolation === 'session') return next(call);
    const holder = policy.scope === 'shared' && isShared(config) ? undefined : seen.person.subject;
    const asked = askedFor(wayOf(call, catalog)?.params ?? {});
    const key = digestOf([serverId, digestOnce(config), digestOnce(tool.own), asked, holder ?? null]);
    return answer(cache, flights, { key, owner: { serverId, holder }, policy }, call, next);
  };
}

async function answer(
  cache: ResultCache,
  flights: Map<string, Flight>,
  place: Place,
  call: Call,
  next: Next,
): Promise<Outcome> {
  const { key, owner } = place;
  const make = async (pending: Pending): Promise<Outcome> => {
    try {
      return keep(pending, place, await next(call));
    } finally {
      pending.end();
    }
  };
  if (call.fresh === true) {
    call.facts.cache = 'bypass';
    return make(cache.begin(key, owner));
  }
  for (;;) {
    const kept = cache.find(key);
    if (kept !== undefined) {
      call.facts.cache = 'hit';
      const { result, ageMs, ttlMs } = kept;
      return { ok: true, result: withMeta(result, { hit: true, ageMs, ttlMs }) };
    }
    call.facts.cache = 'miss';
    const flight = flights.get(key);
    // What was asked before something was written is no answer to who asks after it.
    if (flight?.pending.holds() !== true) break;
    const shared = await orGivenUp(flight.outcome, call.signal);
    if (shared === undefined) return refuse('cancelled', 'the call was cancelled');
    if (isForAll(shared, owner)) return shared;
    // Its caller gave up: the next of those who wait makes the call. Else it is for nobody else, nor would another be.
    if (shared.ok || shared.refusal.reason !== 'cancelled') return make(cache.begin(key, owner));
  }
  const pending = cache.begin(key, owner);
  const flight = { pending, outcome: make(pending) };
  flights.set(key, flight);
  try {
    return await flight.outcome;
  } finally {
    if (flights.get(key) === flight) flights.delete(key);
  }
}

/** Whether an outcome is that of every equal call: the server's, and not of what the gateway thinks of one caller. */
function isForAll(outcome: Outcome, { holder }: Owner): boolean {
  if (!outcome.ok) return outcome.refusal.fault !== undefined || outcome.refusal.reason === 'upstream-error';
  const { resultType, cacheScope } = outcome.result;
  const whole = resultType === undefined || resultType === 'complete';
  return whole && (holder !== undefined || cacheScope !== 'private');
}

function keep(pending: Pending, { owner, policy }: Place, outcome: Outcome): Outcome {
  if (!outcome.ok) return outcome;
  const { result } = outcome;
  const { isError, resultType, ttlMs, cacheScope } = result;
  const unfit = isError === true || (resultType !== undefined && resultType !== 'complete');
  // What a server says of its own results bounds what is kept (MCP 2026-07-28, Caching).
  const isPrivate = cacheScope === 'private' && owner.holder === undefined;
  const ttl = typeof ttlMs === 'number' ? Math.min(ttlMs, policy.ttl) : policy.ttl;
  if (unfit || isPrivate || ttl <= 0) return outcome;
  const bytes = Buffer.byteLength(JSON.stringify(result));
  if (bytes <= policy.maxBytes) pending.keep(result, bytes, ttl);
  return outcome;
}

/** What of a call's `_meta` says by whom and on which trace it was made, and nothing of what is asked for. */
const OF_THE_WAY = /^(?:traceparent|tracestate|baggage|io\.modelcontextprotocol\/.*)$/;

function askedFor({ _meta: meta, ...params }: JsonObject): JsonObject {
  if (!isJsonObject(meta)) return params;
  const said = Object.entries(meta).filter(([key]) => !OF_THE_WAY.test(key));
  return said.length === 0 ? params : { ...params, _meta: Object.fromEntries(said) };
}

async function forgetting(cache: ResultCache, serverId: string, call: Call, next: Next): Promise<Outcome> {
  const outcome = await next(call);
  // Also a call that failed may have changed something.
  cache.forget(serverId, call.principal?.subject);
  return outcome;
}

/** A call that is part of a conversation with its server has a result of its own. */
function isTalk({ own, params }: Call): boolean {
  return own !== undefined || params['requestState'] !== undefined || params['inputResponses'] !== undefined;
}

function isNamed({ when }: CachePolicy, serverId: string, { name }: CatalogTool): boolean {
  return when.tools?.some((tool) => tool === name || tool === `${serverId}:${name}`) === true;
}

/** Whether everybody is the same caller to a server. */
export function isShared(config: ServerConfig): boolean {
  const { auth, process } = config;
  if ((process?.isolation ?? 'shared') !== 'shared') return false;
  if (auth.type === 'oauth2' && signsInEach(auth)) return false;
  // In headers or in the environment of a process: each person has a connection of their own.
  return placeholdersOf(config).length === 0;
}

function withMeta(result: JsonObject, cache: JsonObject): JsonObject {
  const meta = isJsonObject(result['_meta']) ? result['_meta'] : {};
  return { ...result, _meta: { ...meta, [META]: cache } };
}

/** Undefined when the signal aborts first. */
function orGivenUp(flight: Promise<Outcome>, signal: AbortSignal): Promise<Outcome | undefined> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    flight.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
