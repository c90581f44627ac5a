import * as z from 'zod';

/** References are not resolved in addresses, and nothing reads a user and password there. */
export const addressSchema = z
  .url({ protocol: /^https?$/, message: 'must be an http or https address' })
  .refine(
    (address) => !/^[a-z]+:\/\/[^/?#]*@/i.test(address),
    'must hold no user name or password; put the credential where references are resolved',
  )
  .refine((address) => !address.includes('${'), 'must hold no reference; none is resolved in an address');

/** An address, or a path relative to the configuration file's folder. */
export const documentSchema = z
  .string()
  .min(1)
  .superRefine((document, context) => {
    const checked = /^[a-z][a-z0-9+.-]+:\/\//i.test(document)
      ? addressSchema.safeParse(document)
      : z
          .string()
          .regex(/^(?!.*\$\{)/, 'must hold no reference; none is resolved in a path')
          .safeParse(document);
    for (const { message } of checked.error?.issues ?? []) context.addIssue({ code: 'custom', message });
  });

/** Whether what is sent to an address can be read by nobody on the way: over TLS, or on this machine. */
export function isConfidential(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}
