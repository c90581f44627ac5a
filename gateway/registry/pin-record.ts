import { canonicalJson, type JsonObject } from '../contract/json.ts';
import type { PinItem, PinKind } from '../contract/pins.ts';
import type { Definition } from './definition.ts';
import type { Pin, Pinned, PinVersion, ServerPins } from './pin.ts';

/** What one listing of a server told. */
export interface Observation {
  /** The client capabilities that the server was told of, in words; empty for none. */
  readonly signature: string;
  /** The kinds that were listed to their end; of the others nothing is known. */
  readonly kinds: readonly PinKind[];
  readonly definitions: readonly Definition[];
}

/** What is kept of definitions, for the difference: larger ones, and what exceeds the sum, are pinned by hash alone. */
const KEPT = { each: 64 * 1024, all: 4 * 1024 * 1024 } as const;

/** No pins yet. Their revision starts above those of pins that were forgotten before `now` (ms since the epoch). */
export function newServerPins({ id, fingerprint }: Pinned, now: number): ServerPins {
  return { server: id, fingerprint, revision: now, baselines: {}, pins: [] };
}

/**
 * The pins after a listing; the very same object when it told nothing new. What the first listing of a kind shows for
 * a set of client capabilities is accepted, unless its name is known with another definition. From then on whatever
 * was not accepted waits. What is gone stays known as it was accepted (a tombstone), and is forgotten if it never was;
 * where changes are trusted it is forgotten too.
 */
export function observe(before: ServerPins, seen: Observation, mode: Pinned['mode'], at: string): ServerPins {
  const { signature, kinds, definitions } = seen;
  const pins = new Map(before.pins.map((pin) => [keyOf(pin), pin]));
  const gone = new Set(before.pins.filter(isTombstone).map(keyOf));
  for (const [key, pin] of pins) if (kinds.includes(pin.kind)) pins.set(key, withdrawn(pin, signature));
  let room = KEPT.all - sizeOf(before);
  const keep = (content: JsonObject): JsonObject | null => {
    const size = canonicalJson(content).length;
    if (size > KEPT.each || size > room) return null;
    room -= size;
    return content;
  };
  for (const definition of definitions) {
    if (!kinds.includes(definition.kind)) continue;
    const { kind, name, hash, content } = definition;
    const pin = pins.get(keyOf(definition)) ?? { kind, name, versions: [] };
    const first = pin.versions.length === 0 && before.baselines[signature]?.includes(kind) !== true;
    const fresh = (): PinVersion => {
      const returned = gone.has(keyOf(definition));
      const said = { hash, content: keep(content), offeredTo: [], returned, at };
      if (first) return { ...said, state: 'accepted', by: 'registration' };
      return mode === 'trust'
        ? { ...said, state: 'accepted', by: 'trust' }
        : { ...said, state: 'waiting', by: 'server' };
    };
    const version = trusted(pin.versions.find((known) => known.hash === hash) ?? fresh(), mode, at);
    const others = pin.versions.filter((known) => known.hash !== hash);
    const offered = { ...version, offeredTo: [...version.offeredTo, signature].sort() };
    pins.set(keyOf(definition), { kind, name, versions: [...others, offered] });
  }
  const seenBefore = before.baselines[signature] ?? [];
  const baseline = [...new Set([...seenBefore, ...kinds])].sort();
  const after = {
    ...before,
    baselines: { ...before.baselines, [signature]: baseline },
    pins: [...pins.values()].map((pin) => tidy(pin, mode)).filter(({ versions }) => versions.length > 0),
  };
  return isSame(before, after) ? before : { ...after, revision: before.revision + 1 };
}

/**
 * The pins after a decision. What is accepted takes the place of what was, except where the server still offers that
 * to clients of other capabilities. Undefined when one of the items is not on offer, or accepted already.
 */
export function decideOn(
  before: ServerPins,
  items: readonly PinItem[],
  decision: { readonly state: 'accepted' | 'rejected'; readonly at: string; readonly by: string },
): ServerPins | undefined {
  const wanted = new Map(items.map((item) => [keyOf(item), item.hash]));
  let found = 0;
  const pins = before.pins.map((pin): Pin => {
    const hash = wanted.get(keyOf(pin));
    const version = pin.versions.find((known) => known.hash === hash && known.state !== 'accepted');
    if (version === undefined) return pin;
    found++;
    const others = pin.versions.filter((known) => known !== version);
    const kept =
      decision.state === 'accepted' ? others.filter(({ offeredTo }) => offeredTo.length > 0) : others;
    return { ...pin, versions: [...kept, { ...version, ...decision }] };
  });
  return found === wanted.size ? { ...before, pins, revision: before.revision + 1 } : undefined;
}

/** Whether someone, or the first listing, has accepted this definition under its name. */
export function isAccepted(pin: Pin | undefined, hash: string): boolean {
  return pin?.versions.some((version) => version.hash === hash && version.state === 'accepted') === true;
}

/** Whether a pin is of something that was accepted and that nobody is offered any more. */
export function isTombstone({ versions }: Pin): boolean {
  return versions.every(({ offeredTo }) => offeredTo.length === 0);
}

/** Names a pin within its server. */
export function keyOf({ kind, name }: Pick<Pin, 'kind' | 'name'>): string {
  return `${kind}:${name}`;
}

function withdrawn(pin: Pin, signature: string): Pin {
  const versions = pin.versions.map((version) => ({
    ...version,
    offeredTo: version.offeredTo.filter((other) => other !== signature),
  }));
  return { ...pin, versions };
}

/** What was rejected stays so: somebody has looked at it. */
function trusted(version: PinVersion, mode: Pinned['mode'], at: string): PinVersion {
  return mode === 'trust' && version.state === 'waiting'
    ? { ...version, state: 'accepted', at, by: 'trust' }
    : version;
}

/** Of what is not offered to anyone, only what was accepted is remembered, and that only for review. */
function tidy(pin: Pin, mode: Pinned['mode']): Pin {
  const versions = pin.versions.filter(
    ({ offeredTo, state }) => offeredTo.length > 0 || (state === 'accepted' && mode === 'review'),
  );
  return { ...pin, versions };
}

function sizeOf({ pins }: ServerPins): number {
  let size = 0;
  for (const { versions } of pins)
    for (const { content } of versions) if (content !== null) size += canonicalJson(content).length;
  return size;
}

function isSame(one: ServerPins, other: ServerPins): boolean {
  return canonicalJson(sorted(one)) === canonicalJson(sorted(other));
}

/** The order of pins and versions says nothing. */
function sorted({ baselines, pins }: ServerPins): unknown {
  const byKey = [...pins].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const inOrder = byKey.map(({ versions, ...pin }) => ({
    ...pin,
    versions: [...versions].sort((a, b) => (a.hash < b.hash ? -1 : 1)),
  }));
  return [baselines, inOrder];
}
