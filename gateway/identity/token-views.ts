import type { TokenView } from '../contract/tokens.ts';
import type { ActivityStore, TokenRecord } from '../storage/contracts.ts';

/** Tokens as they may be listed, with their newest use. */
export async function tokenViews(
  records: readonly TokenRecord[],
  activity: Pick<ActivityStore, 'lastUse'>,
  now: number,
): Promise<TokenView[]> {
  const lastUse = await activity.lastUse(records.map(({ id }) => id));
  return records.map((record) => {
    const used = lastUse.get(record.id);
    return {
      ...tokenView(record, now),
      lastUsedAt: used === undefined ? null : new Date(used).toISOString(),
    };
  });
}

/** One that was not used yet. */
export function tokenView(record: TokenRecord, now: number): TokenView {
  const { id, name, subject, kind, administrator, scope, createdAt, expiresAt, previous } = record;
  const copy = (names: readonly string[] | null): string[] | null => (names === null ? null : [...names]);
  return {
    id,
    name,
    subject,
    kind,
    administrator,
    scope: {
      groups: copy(scope.groups),
      servers: copy(scope.servers),
      tools: copy(scope.tools),
      models: copy(scope.models),
    },
    createdAt,
    expiresAt,
    expired: expiresAt !== null && Date.parse(expiresAt) <= now,
    previousUntil: previous !== null && Date.parse(previous.until) > now ? previous.until : null,
    lastUsedAt: null,
  };
}
