import type { TokenView } from '../contract/admin.ts';
import type { ActivityStore, ConfigStore } from '../storage/contracts.ts';

/** The tokens as they may be listed, with their newest use. */
export async function tokenViews(store: ConfigStore, activity: ActivityStore): Promise<TokenView[]> {
  const { tokens } = store.current();
  const lastUse = await activity.lastUse(tokens.map(({ id }) => id));
  return tokens.map(({ id, name, subject, scope, createdAt, expiresAt }) => {
    const used = lastUse.get(id);
    return {
      id,
      name,
      subject,
      groups: scope.groups === null ? null : [...scope.groups],
      createdAt,
      expiresAt,
      lastUsedAt: used === undefined ? null : new Date(used).toISOString(),
    };
  });
}
