/** What a token is narrowed to; null where it is not narrowed. It never widens what its subject may do. */
export interface TokenScope {
  /** Names of groups. */
  readonly groups: readonly string[] | null;
  /** `group:server`. */
  readonly servers: readonly string[] | null;
  /** `group:server:tool`, with globs. */
  readonly tools: readonly string[] | null;
  /** `provider/model`, with globs. */
  readonly models: readonly string[] | null;
}

/** The scope of a token that is not narrowed. */
export const WHOLE_SCOPE: TokenScope = { groups: null, servers: null, tools: null, models: null };

/**
 * Who is calling, as identity established it. Only `Identity.authenticate` makes one; what it may do is for
 * `access/` to say.
 */
export interface Principal {
  /** `user:<id>` or `serviceaccount:<name>`. */
  readonly subject: string;
  /** The token it came with, by id. */
  readonly tokenId: string;
  /** The token lets its subject administer the gateway, where the subject may. */
  readonly administrator: boolean;
  /** What the issuer of the token says of its subject, beside what the configuration says. */
  readonly claims: { readonly teams: readonly string[] };
  readonly scope: TokenScope;
}
