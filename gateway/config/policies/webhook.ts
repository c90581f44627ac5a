import * as z from 'zod';
import { addressSchema } from '../address.ts';

/** A program that is told things by signed messages: where it is, and what both sides sign with. */
export const webhookSchema = z.strictObject({
  url: addressSchema,
  /** A reference. */
  secret: z
    .string()
    .min(1)
    .refine((text) => text.includes('${'), 'write a reference, such as ${secret:WEBHOOK}, never the secret'),
  allowPrivateAddress: z.boolean().default(false),
});
