import type { RegistryView, ServerView } from '../gateway/contract/registry.ts';
import { serversOf } from './selection.ts';

/** A prompt to begin with, and the server that can answer it; none for plain chat. */
export interface Example {
  readonly prompt: string;
  readonly server?: ServerView;
}

const BY_TOOLS: readonly { readonly tools: readonly string[]; readonly prompt: string }[] = [
  { tools: ['add', 'multiply'], prompt: 'Add 2 and 3, then multiply the result by 4' },
  { tools: ['list_directory'], prompt: 'List the folder' },
  { tools: ['create_entities'], prompt: 'Remember that Ada likes tea' },
  { tools: ['delete_entities'], prompt: 'Forget Ada' },
  { tools: ['echo'], prompt: 'Echo hello' },
];

/** Prompts for the servers that are there: known ones for known tools, a general one for a server beside them. */
export function examples(registry: RegistryView): Example[] {
  const servers = serversOf(registry).filter((server) => server.tools.length > 0);
  const known = BY_TOOLS.flatMap(({ tools, prompt }) => {
    const server = servers.find((candidate) =>
      tools.every((name) => candidate.tools.some((tool) => tool.name === name)),
    );
    return server ? [{ prompt, server }] : [];
  });
  if (known.length > 0) return known;
  return servers.slice(0, 3).map((server) => ({ prompt: `What can you do with ${server.name}?`, server }));
}
