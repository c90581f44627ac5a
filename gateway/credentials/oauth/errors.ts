/** An authorization server, or what names it, cannot be used: the message says why, for a person. */
export class OauthError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OauthError';
  }
}

/** The authorization server says that what it was shown is no good, so that somebody has to sign in again. */
export class GrantRefusedError extends OauthError {}
