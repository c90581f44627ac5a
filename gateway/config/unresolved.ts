import { resolveReferences, resolveWithin, type ReferenceSource } from './references.ts';
import type { Config } from './schema.ts';

/** The references of a configuration that have no value, each with the place that needs it. */
export function unresolvedReferences(
  config: Config,
  references: ReferenceSource,
): { place: string; reason: string }[] {
  const found: { place: string; reason: string }[] = [];
  const check = (place: string, text: string): void => {
    try {
      resolveReferences(text, references);
    } catch (error) {
      found.push({ place, reason: (error as Error).message });
    }
  };
  for (const group of config.groups) {
    for (const server of group.servers) {
      const place = `${group.name}:${server.name}`;
      const headers = server.auth.type === 'header' ? Object.values(server.auth.headers) : [];
      for (const text of [
        server.command ?? '',
        server.cwd ?? '',
        ...server.args,
        ...Object.values(server.env),
        ...headers,
      ])
        check(place, text);
      server.tools.forEach(({ fixed }, index) => {
        resolveWithin(fixed, (text) => {
          check(`${place} tools[${index}].fixed`, text);
          return text;
        });
      });
    }
  }
  for (const provider of config.models.providers) check(`provider ${provider.name}`, provider.apiKey ?? '');
  return found;
}
