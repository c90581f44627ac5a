import * as z from 'zod';

const LOOPBACK = ['127.0.0.1', '::1', 'localhost'];

export function isLoopback(host: string): boolean {
  return LOOPBACK.includes(host);
}

const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const hostSchema = z.union(
  [z.ipv4(), z.ipv6(), z.string().regex(HOST_NAME)],
  'write an IP address or a host name',
);
/** As the Host header has it: with the port, where it is not the scheme's own. */
const hostHeaderSchema = z
  .string()
  .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/, 'write a host, or host:port');
const originSchema = z.string().refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^https?:$/.test(url.protocol) && url.origin === text;
}, 'write an origin, such as https://tools.example.com, without a path');

/** Where the gateway listens, and how it is reached. */
export const listenSchema = z
  .strictObject({
    host: hostSchema.default('127.0.0.1'),
    port: z.number().int().min(0).max(65535).default(8665),
    /** Files of a certificate and its key, or that a proxy in front of the gateway ends TLS. */
    tls: z
      .union([
        z.strictObject({ cert: z.string().min(1), key: z.string().min(1) }),
        z.literal('terminated-upstream'),
      ])
      .optional(),
    /** The origin that clients use, where it is not the address listened on. */
    publicUrl: originSchema.optional(),
    /** Further names that the Host header may have. */
    hosts: z.array(hostHeaderSchema).max(50).default([]),
    /** Further web origins whose pages may ask. */
    origins: z.array(originSchema).max(50).default([]),
  })
  .superRefine((listen, context) => {
    const complain = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (!isLoopback(listen.host) && listen.tls === undefined)
      complain(
        'tls',
        `listening on ${listen.host} needs TLS: tls: { cert, key }, or tls: terminated-upstream where a proxy in front ends it`,
      );
    if (listen.tls !== undefined && listen.publicUrl?.startsWith('http:') === true)
      complain('publicUrl', 'it starts with https:// where there is TLS');
    if (listen.publicUrl?.startsWith('https:') === true && listen.tls === undefined)
      complain('tls', 'publicUrl is https: say who ends TLS');
  });

export type ListenConfig = z.output<typeof listenSchema>;
