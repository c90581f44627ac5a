import * as z from 'zod';
import { nearest } from './nearest.ts';
import { isExact, matchSchema, toolNameSchema } from './tool-rules.ts';

/** Some tools of another server. */
export const pickSchema = z.strictObject({
  /** `group:server`. */
  server: z.string().min(1),
  /** Names, globs or selectors, which all look at the tools as that server shows them. */
  tools: z.array(matchSchema).min(1, 'name at least one tool'),
  /** Other names, by the names the server shows. */
  rename: z.record(z.string().min(1), toolNameSchema).default({}),
});
export type Pick = z.infer<typeof pickSchema>;

interface GroupLike {
  readonly name: string;
  readonly servers: readonly { readonly name: string; readonly virtual?: readonly Pick[] | undefined }[];
}

interface Issue {
  readonly path: (string | number)[];
  readonly message: string;
}

/** What is wrong with the virtual servers of a configuration, as far as it can be told without asking a server. */
export function virtualIssues(groups: readonly GroupLike[]): Issue[] {
  const servers = new Map(
    groups.flatMap((group) => group.servers.map((server) => [`${group.name}:${server.name}`, server])),
  );
  return groups.flatMap((group, g) =>
    group.servers.flatMap(({ virtual = [] }, s) => {
      const path = ['groups', g, 'servers', s, 'virtual'];
      const found = [
        ...virtual.flatMap((pick, p) => memberIssues(pick, [p], servers)),
        ...virtual.flatMap((pick, p) => renameIssues(pick, [p])),
        ...nameIssues(virtual),
      ];
      return found.map((issue) => ({ ...issue, path: [...path, ...issue.path] }));
    }),
  );
}

function memberIssues(
  { server }: Pick,
  path: Issue['path'],
  servers: ReadonlyMap<string, { readonly virtual?: unknown }>,
): Issue[] {
  const member = servers.get(server);
  const issue = (message: string): Issue[] => [{ path: [...path, 'server'], message }];
  if (member === undefined) {
    const meant = nearest(server, [...servers.keys()]);
    const hint = meant === undefined ? 'write group:server' : `did you mean "${meant}"?`;
    return issue(`there is no server "${server}"; ${hint}`);
  }
  if (member.virtual === undefined) return [];
  return issue(`"${server}" is virtual itself; pick from the servers it is made of`);
}

function renameIssues({ tools, rename }: Pick, path: Issue['path']): Issue[] {
  if (!tools.every(isExact)) return [];
  return Object.keys(rename)
    .filter((name) => !tools.includes(name))
    .map((name) => ({ path: [...path, 'rename', name], message: `"${name}" is not among the tools picked` }));
}

/** Two tools that are named outright and would have one name. */
function nameIssues(picks: readonly Pick[]): Issue[] {
  const taken = new Map<string, { server: string; tool: string }>();
  return picks.flatMap((pick, p) =>
    namedOutright(pick).flatMap(({ tool, name, path }): Issue[] => {
      const first = taken.get(name);
      if (first === undefined) taken.set(name, { server: pick.server, tool });
      if (first === undefined || (first.server === pick.server && first.tool === tool)) return [];
      const message =
        `"${name}" of ${pick.server} has the name of "${first.tool}" of ${first.server}; ` +
        `give it another, for instance rename: { ${tool}: ${tool}_2 }`;
      return [{ path: [p, ...path], message }];
    }),
  );
}

/** The tools that a pick names, rather than finds by a pattern, with the names they get. */
export function namedOutright({
  tools,
  rename,
}: Pick): { readonly tool: string; readonly name: string; readonly path: Issue['path'] }[] {
  const exact = tools.flatMap((tool, index) =>
    isExact(tool) && !Object.hasOwn(rename, tool) ? [{ tool, name: tool, path: ['tools', index] }] : [],
  );
  const renamed = Object.entries(rename).map(([tool, name]) => ({ tool, name, path: ['rename', tool] }));
  return [...exact, ...renamed];
}
