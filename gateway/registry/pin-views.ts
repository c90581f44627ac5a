import { canonicalJson } from '../contract/json.ts';
import type { PinChange, ReviewSummary, ServerPinsView, Tombstone } from '../contract/pins.ts';
import type { ServerEntry } from './entry.ts';
import type { Pin, PinVersion, ServerPins } from './pin.ts';
import { isTombstone, pendingFor } from './pin-record.ts';

/** A server's pins as administrators see them. */
export function serverPinsView({ fqn, pinned, pins }: ServerEntry): ServerPinsView {
  const all = pins?.pins ?? [];
  return {
    server: fqn,
    mode: pinned.mode,
    accepted: all.filter(({ versions }) => versions.some((one) => one.state === 'accepted' && isOffered(one)))
      .length,
    changes: all.flatMap((pin) => changesOf(pin)),
    removed: all.flatMap(tombstoneOf),
  };
}

/** What the registry tells of it; undefined when everything that is offered is accepted. */
export function reviewSummary(pins: ServerPins | undefined): ReviewSummary | undefined {
  const changes = (pins?.pins ?? []).flatMap((pin) => changesOf(pin));
  if (changes.length === 0) return undefined;
  const count = (wanted: PinChange['state']): number =>
    changes.filter(({ state }) => state === wanted).length;
  return {
    waiting: count('waiting'),
    rejected: count('rejected'),
    changes: changes.map(({ kind, name, hash, change, state, found }) => ({
      ...{ kind, name, hash, change, state, found },
    })),
  };
}

function changesOf({ kind, name, versions }: Pin): PinChange[] {
  // The last accepted is what the others are compared with; one that is still on offer, if there is any.
  const before =
    versions.findLast((version) => version.state === 'accepted' && isOffered(version)) ??
    versions.findLast(({ state }) => state === 'accepted');
  return versions.flatMap((version) => {
    const { hash, state, at, by, content, found, returned } = version;
    const offeredTo = pendingFor(version);
    if (offeredTo.length === 0) return [];
    const accepted = before === version ? undefined : before;
    return {
      kind,
      name,
      hash,
      change: accepted === undefined ? 'new' : returned ? 'returned' : 'changed',
      state: state === 'rejected' ? 'rejected' : 'waiting',
      found: [...found],
      at,
      by,
      offered: content,
      ...(accepted && {
        accepted: { hash: accepted.hash, at: accepted.at, by: accepted.by, content: accepted.content },
      }),
      fields: differences(accepted, version),
      offeredTo: [...offeredTo],
    };
  });
}

function tombstoneOf(pin: Pin): Tombstone[] {
  const { kind, name, versions } = pin;
  const last = versions.findLast(({ state }) => state === 'accepted');
  if (last === undefined || !isTombstone(pin)) return [];
  return [{ kind, name, hash: last.hash, acceptedAt: last.at, acceptedBy: last.by }];
}

/** The fields that differ; none when a definition was too large to be kept. */
function differences(accepted: PinVersion | undefined, offered: PinVersion): string[] {
  if (offered.content === null || accepted?.content === null) return [];
  const before = accepted?.content ?? {};
  const after = offered.content;
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (field) => asText(before[field]) !== asText(after[field]),
  );
}

function asText(value: unknown): string {
  return value === undefined ? '' : canonicalJson(value);
}

function isOffered({ offeredTo }: PinVersion): boolean {
  return offeredTo.length > 0;
}
