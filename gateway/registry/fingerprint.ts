import { createHash } from 'node:crypto';
import type { ServerConfig } from '../config/schema.ts';

/**
 * A hash of what makes a registration mean this server and no other: address, program, arguments, folder, and the
 * names (never the values) of its environment and headers. References count as written.
 */
export function fingerprint(config: ServerConfig): string {
  const { url, openapi, baseUrl, transport, command, args, cwd, env, auth } = config;
  const headers = auth.type === 'header' ? Object.keys(auth.headers).sort() : [];
  const identity = [url ?? null, command ?? null, args, cwd ?? null, Object.keys(env).sort(), headers];
  if (transport === 'sse') identity.push(transport);
  if (openapi !== undefined) identity.push(openapi, baseUrl ?? null);
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex');
}
