import { canonicalJson, type JsonObject } from '../contract/json.ts';
import type { PinItem, PinKind } from '../contract/pins.ts';
import type { SearchedDefinition } from './definition.ts';
import type { Pin, Pinned, PinVersion, ServerPins } from './pin.ts';

/** What one listing of a server told. */
export interface Observation {
  /** The client capabilities that the server was told of, in words; empty for none. */
  readonly signature: string;
  /** The kinds that were listed to their end; of the others nothing is known. */
  readonly kinds: readonly PinKind[];
  readonly definitions: readonly SearchedDefinition[];
}

/** What is kept of definitions, for the difference: larger ones, and what exceeds the sum, are pinned by hash alone. */
const KEPT = { each: 64 * 1024, all: 4 * 1024 * 1024 } as const;

/** No pins yet. Their revision starts above those of pins that were forgotten before `now` (ms since the epoch). */
export function newServerPins({ id, fingerprint }: Pinned, now: number): ServerPins {
  return { server: id, fingerprint, revision: now, baselines: {}, pins: [] };
}

/**
 * The pins after a listing; the very same object when it told nothing new. What the first listing of a kind shows for
 * a set of client capabilities is accepted for those, unless its name is known with another definition. From then on
 * whatever was not accepted waits; what looks like prompt injection waits always, until a person has accepted it, even
 * where changes are trusted. What is gone stays known as it was accepted (a tombstone), and is forgotten if it
 * never was; where changes are trusted it is forgotten too.
 */
export function observe(before: ServerPins, seen: Observation, mode: Pinned['mode'], at: string): ServerPins {
  const { signature, kinds, definitions } = seen;
  const pins = new Map(before.pins.map((pin) => [keyOf(pin), pin]));
  const gone = new Set(before.pins.filter(isTombstone).map(keyOf));
  for (const [key, pin] of pins) if (kinds.includes(pin.kind)) pins.set(key, withdrawn(pin, signature));
  const keep = createKeeper(before);
  for (const definition of definitions) {
    const { kind, name, hash, content, found } = definition;
    if (!kinds.includes(kind)) continue;
    const { versions } = pins.get(keyOf(definition)) ?? { versions: [] };
    const others = versions.filter((one) => one.hash !== hash);
    const known = versions.find((one) => one.hash === hash);
    const version = (known && unlessUnseen({ ...known, found }, at)) ?? {
      hash,
      content: keep(content),
      found,
      state: 'waiting',
      acceptedFor: [],
      offeredTo: [],
      returned: gone.has(keyOf(definition)),
      at,
      by: 'server',
    };
    const first = before.baselines[signature]?.includes(kind) !== true;
    const approved =
      first && found.length === 0 && (versions.length === 0 || isOnlyAccepted(version, others));
    const judged = approved
      ? acceptedBy(version, [...version.acceptedFor, signature], 'registration', at)
      : mode === 'trust' && found.length === 0 && version.state !== 'rejected'
        ? acceptedBy(version, EVERYBODY, 'trust', at)
        : version;
    const offered = { ...judged, offeredTo: [...version.offeredTo, signature].sort() };
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
    const version = pin.versions.find((known) => known.hash === hash && pendingFor(known).length > 0);
    if (version === undefined) return pin;
    found++;
    const others = pin.versions.filter((known) => known !== version);
    const accepted = decision.state === 'accepted';
    const kept = accepted ? others.filter(({ offeredTo }) => offeredTo.length > 0) : others;
    const acceptedFor = accepted ? EVERYBODY : [];
    return { ...pin, versions: [...kept, { ...version, ...decision, acceptedFor }] };
  });
  return found === wanted.size ? { ...before, pins, revision: before.revision + 1 } : undefined;
}

/** Whether this definition may be shown, under its name, to clients of these capabilities. */
export function isAccepted(pin: Pin | undefined, hash: string, signature: string): boolean {
  return pin?.versions.some((version) => version.hash === hash && covers(version, signature)) === true;
}

/** The client capabilities for which a definition is offered without being accepted. */
export function pendingFor(version: PinVersion): readonly string[] {
  return version.offeredTo.filter((signature) => !covers(version, signature));
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

const EVERYBODY: readonly string[] = [''];

function acceptedBy(version: PinVersion, signatures: readonly string[], by: string, at: string): PinVersion {
  const acceptedFor = [...new Set(signatures)].sort();
  const same = version.state === 'accepted' && acceptedFor.join() === version.acceptedFor.join();
  return same ? version : { ...version, state: 'accepted', acceptedFor, at, by };
}

/** A version as it is known; waiting again, where nobody has seen it and it now looks like prompt injection. */
function unlessUnseen(version: PinVersion, at: string): PinVersion {
  const unseen = version.by === 'registration' || version.by === 'trust';
  return version.state === 'accepted' && unseen && version.found.length > 0
    ? { ...version, state: 'waiting', acceptedFor: [], at, by: 'server' }
    : version;
}

/** Whether nothing but this version was ever accepted under its name. */
function isOnlyAccepted(version: PinVersion, others: readonly PinVersion[]): boolean {
  return version.state === 'accepted' && others.every(({ state }) => state !== 'accepted');
}

/** What clients were shown, those that can do more may be shown too. */
function covers({ state, acceptedFor }: PinVersion, signature: string): boolean {
  if (state !== 'accepted') return false;
  const can = new Set(wordsOf(signature));
  return acceptedFor.some((accepted) => wordsOf(accepted).every((word) => can.has(word)));
}

function wordsOf(signature: string): string[] {
  return signature === '' ? [] : signature.split(', ');
}

/** Says what of a definition is kept, within the bounds of its server. */
function createKeeper({ pins }: ServerPins): (content: JsonObject) => JsonObject | null {
  const sizeOf = (content: JsonObject | null): number => (content ? canonicalJson(content).length : 0);
  let room = KEPT.all;
  for (const { versions } of pins) for (const { content } of versions) room -= sizeOf(content);
  return (content) => {
    const size = sizeOf(content);
    if (size > KEPT.each || size > room) return null;
    room -= size;
    return content;
  };
}

/**
 * Of what is not offered to anyone, only what was accepted is remembered: for review, and until something else has
 * been accepted for everybody in its place.
 */
function tidy(pin: Pin, mode: Pinned['mode']): Pin {
  const isOffered = ({ offeredTo }: PinVersion): boolean => offeredTo.length > 0;
  const replaced = pin.versions.some((version) => isOffered(version) && covers(version, ''));
  const remembered = ({ state }: PinVersion): boolean =>
    state === 'accepted' && mode === 'review' && !replaced;
  return { ...pin, versions: pin.versions.filter((one) => isOffered(one) || remembered(one)) };
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
