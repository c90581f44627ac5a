import { referencesIn, resolveReferences, resolveWithin, type ReferenceSource } from './references.ts';
import type { Config } from './schema.ts';

/** The references of a configuration that have no value, each with the place that needs it. */
export function unresolvedReferences(
  config: Config,
  references: ReferenceSource,
): { place: string; reason: string }[] {
  return textsOf(config).flatMap(({ place, text }) => {
    try {
      resolveReferences(text, references);
      return [];
    } catch (error) {
      return [{ place, reason: (error as Error).message }];
    }
  });
}

/** The places that need each secret, by its name. */
export function secretUses(config: Config): Map<string, string[]> {
  const uses = new Map<string, string[]>();
  for (const { place, text } of textsOf(config)) {
    for (const { kind, name } of safeReferences(text)) {
      if (kind !== 'secret') continue;
      const places = uses.get(name) ?? [];
      if (!places.includes(place)) uses.set(name, [...places, place]);
    }
  }
  return uses;
}

function safeReferences(text: string): ReturnType<typeof referencesIn> {
  try {
    return referencesIn(text);
  } catch {
    // A mistyped reference is reported where it is resolved.
    return [];
  }
}

/** Every text of a configuration in which references are resolved. */
function textsOf(config: Config): { place: string; text: string }[] {
  const texts: { place: string; text: string }[] = [];
  for (const guard of config.policies.guardrails) {
    const place = `policies.guardrails ${guard.name}`;
    const own =
      guard.kind === 'webhook'
        ? [guard.secret ?? '', ...Object.values(guard.headers)]
        : guard.kind === 'moderation'
          ? [guard.apiKey]
          : [];
    texts.push(...own.map((text) => ({ place, text })));
  }
  config.policies.approvalWebhooks.forEach(({ secret, name }) =>
    texts.push({ place: `policies.approvalWebhooks ${name}`, text: secret }),
  );
  config.policies.budgets.forEach(({ webhook, name }) =>
    texts.push({ place: `policies.budgets ${name}`, text: webhook?.secret ?? '' }),
  );
  for (const group of config.groups) {
    for (const server of group.servers) {
      const place = `${group.name}:${server.name}`;
      const { auth } = server;
      const headers = auth.type === 'header' ? Object.values(auth.headers) : [];
      const client = auth.type === 'oauth2' ? [auth.clientId ?? '', auth.clientSecret ?? ''] : [];
      const own = [
        server.command ?? '',
        server.cwd ?? '',
        ...server.args,
        ...Object.values(server.env),
        ...headers,
        ...client,
      ];
      texts.push(...own.map((text) => ({ place, text })));
      server.tools.forEach(({ fixed }, index) => {
        resolveWithin(fixed, (text) => {
          texts.push({ place: `${place} tools[${index}].fixed`, text });
          return text;
        });
      });
    }
  }
  for (const { issuer, console } of config.subjects.oidc)
    texts.push({ place: `issuer ${issuer}`, text: console?.clientSecret ?? '' });
  for (const { name, apiKey } of config.models.providers)
    texts.push({ place: `provider ${name}`, text: apiKey ?? '' });
  return texts;
}
