import { createHash } from 'node:crypto';
import type { RegistryView } from '../gateway/contract/registry.ts';
import { allServers } from './registryNodes.ts';

/** A version that changes with the tools a client sees, and with nothing else. */
export function toolsVersion(registry: RegistryView | undefined): string {
  if (registry === undefined) return '0';
  const tools = allServers(registry).map(({ fqn, tools }) => [fqn, tools]);
  return createHash('sha256').update(JSON.stringify(tools)).digest('hex').slice(0, 16);
}
