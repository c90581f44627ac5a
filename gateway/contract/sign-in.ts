import * as z from 'zod';

/** Where a browser signs in to the console, asks who it is, and signs out. */
export const SIGN_IN_PATH = '/api/v1/sign-in';
/** `POST`: a one-time link for whoever shows a token. */
export const LINKS_PATH = `${SIGN_IN_PATH}/links`;
/** `POST …/{name}`: begins a sign-in with an OpenID provider. */
export const ISSUERS_PATH = `${SIGN_IN_PATH}/issuers`;
/** Where an OpenID provider sends the browser back to: `…/{name}`. */
export const CALLBACK_PATH = '/sign-in/callback';

/**
 * A sign-in is a cookie and this header together. The page makes the key and keeps it where other origins, other ports
 * included, cannot read it: what a browser adds to a request by itself is never enough.
 */
export const PAGE_KEY_HEADER = 'x-toolgate-page-key';
/** 32 random bytes, base64url. */
export const PAGE_KEY = /^[\w-]{43}$/;

/** The code of a one-time link, or a token. */
export const signInRequestSchema = z.union(
  [
    z.strictObject({ code: z.string().min(1).max(200) }),
    z.strictObject({ token: z.string().min(1).max(16_384) }),
  ],
  'send { code } of a one-time link, or { token }',
);
export type SignInRequest = z.infer<typeof signInRequestSchema>;

const signedInSchema = z.object({
  /** `user:ID`, for instance. */
  subject: z.string(),
  administrator: z.boolean(),
  /** ISO 8601: when it ends at the latest. */
  expiresAt: z.string(),
});
export type SignedIn = z.infer<typeof signedInSchema>;

/** Who this browser is signed in as, if anybody, and by which OpenID providers it can be. */
export const signInStateSchema = z.object({
  signedIn: signedInSchema.nullable(),
  issuers: z.array(z.object({ name: z.string() })),
});
export type SignInState = z.infer<typeof signInStateSchema>;

/** The page to come back to: a path of this gateway. */
export const issuerRequestSchema = z.strictObject({ returnTo: z.string().max(2_000).default('/') });
/** The provider's address, where the browser is to go. */
export const issuerAnswerSchema = z.object({ location: z.string() });

export const linkAnswerSchema = z.object({ link: z.string(), expiresAt: z.string() });
export type LinkAnswer = z.infer<typeof linkAnswerSchema>;

/** Why a sign-in with an OpenID provider failed, as `#problem=` tells the page. */
export const SIGN_IN_PROBLEMS = {
  state: 'This sign-in was begun in another browser, took too long, or was used before. Try again.',
  refused: 'The provider did not sign you in.',
  issuer: 'The provider gave no usable answer. The gateway’s log says why.',
  person: 'The provider knows you, but this gateway does not let you in. Ask its administrator.',
} as const;
export type SignInProblem = keyof typeof SIGN_IN_PROBLEMS;
