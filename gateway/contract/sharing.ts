import * as z from 'zod';

/** Where an embedded gateway answers a challenge, without a token. */
export const SHARING_PATH = '/api/v1/sharing';

/** The challenge: `?nonce=` of 32 hex digits, never used twice. */
export const nonceSchema = z.string().regex(/^[0-9a-f]{32}$/);

/** Who answers, and two proofs in hex that only a process with the same secrets can make of the challenge. */
export const sharingAnswerSchema = z.object({
  /** That it knows the owner's token. */
  owner: z.string(),
  /** That it was started with all the same. */
  start: z.string(),
  pid: z.number().int(),
  version: z.string(),
});
export type SharingAnswer = z.infer<typeof sharingAnswerSchema>;
