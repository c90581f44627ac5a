/**
 * Who is calling, as identity established it. Only `Identity.authenticate` makes one; what it may do is for
 * `access/` to say.
 */
export interface Principal {
  /** `user:<id>`. */
  readonly subject: string;
  /** The token it came with, by id. */
  readonly tokenId: string;
  /** May administer the gateway: read its activity, its tokens, its configuration. */
  readonly administrator: boolean;
  /** The groups its token is narrowed to; null for all its subject may use. */
  readonly groups: readonly string[] | null;
}
