import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import * as z from 'zod';

/** A named text that is encrypted with its name. All of it is base64url. */
export const sealedSchema = z.strictObject({ id: z.string(), nonce: z.string(), sealed: z.string() });
export type Sealed = z.infer<typeof sealedSchema>;

/** What is derived from one master key. */
export interface Keys {
  readonly sealing: Buffer;
  /** Names become ids by it, so that a file of records tells nobody which there are. */
  readonly naming: Buffer;
}

export function deriveKeys(master: Buffer): Keys {
  const part = (purpose: string): Buffer =>
    Buffer.from(hkdfSync('sha256', master, '', `toolgate ${purpose}`, 32));
  return { sealing: part('seal'), naming: part('name') };
}

export function idOf(name: string, { naming }: Keys): string {
  return createHmac('sha256', naming).update(name).digest('base64url').slice(0, 22);
}

/** AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits; it opens in its own place only. */
export function seal(name: string, text: string, keys: Keys): Sealed {
  const id = idOf(name, keys);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keys.sealing, nonce).setAAD(Buffer.from(`v1 ${id}`));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { id, nonce: nonce.toString('base64url'), sealed: sealed.toString('base64url') };
}

/** Throws where the record is another's, was changed, or is under another key. */
export function unseal({ id, nonce, sealed }: Sealed, { sealing }: Keys): string {
  const bytes = Buffer.from(sealed, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', sealing, Buffer.from(nonce, 'base64url'), {
    authTagLength: 16,
  })
    .setAAD(Buffer.from(`v1 ${id}`))
    .setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('utf8');
}
