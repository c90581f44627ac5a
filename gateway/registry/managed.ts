import { readFileSync } from 'node:fs';
import { posix, win32 } from 'node:path';
import * as z from 'zod';
import type { ServerConfig } from '../config/schema.ts';

/**
 * The lists of allowed and denied MCP servers that an organisation puts on its machines, in the `managed-settings.json`
 * of Claude Code and GitHub Copilot. They bind what this gateway connects to as well.
 */
export interface ManagedLists {
  /**
   * Why a server is not to be connected to, naming file and rule; undefined when nothing speaks against it.
   * `resolve` gives references their values.
   */
  objection(name: string, server: ServerConfig, resolve: (text: string) => string): string | undefined;
}

const ruleSchema = z.union([
  z.strictObject({ serverName: z.string().min(1) }),
  z.strictObject({ serverUrl: z.string().min(1) }),
  z.strictObject({ serverCommand: z.array(z.string()).min(1) }),
]);
type Rule = z.infer<typeof ruleSchema>;
const settingsSchema = z.looseObject({
  allowedMcpServers: z.array(ruleSchema).optional(),
  deniedMcpServers: z.array(ruleSchema).optional(),
});

/** Where the lists of this machine are; a file that does not exist binds nothing. */
export function managedFiles(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): string[] {
  const NAME = 'managed-settings.json';
  switch (platform) {
    case 'darwin':
      return ['ClaudeCode', 'GitHubCopilot'].map((product) =>
        posix.join('/Library/Application Support', product, NAME),
      );
    case 'win32': {
      const programs = env['ProgramFiles'] ?? 'C:\\Program Files';
      const data = env['ProgramData'] ?? 'C:\\ProgramData';
      return [
        win32.join(programs, 'ClaudeCode', NAME),
        win32.join(data, 'ClaudeCode', NAME),
        win32.join(programs, 'GitHubCopilot', NAME),
      ];
    }
    default:
      return [posix.join('/etc/claude-code', NAME), posix.join('/etc/github-copilot', NAME)];
  }
}

/**
 * Reads the lists, all of which bind. One that cannot be read or understood denies every server. `required` files must
 * exist.
 */
export function readManagedLists(files: readonly string[], required: readonly string[] = []): ManagedLists {
  const lists = [...files, ...required].flatMap((file) => readList(file, required.includes(file)) ?? []);
  return {
    objection: (name, server, resolve) => {
      const facts = factsOf(name, server, resolve);
      for (const list of lists) {
        const reason = list(facts);
        if (reason !== undefined) return reason;
      }
      return undefined;
    },
  };
}

/** What rules look at. A server that is run and listens is both a command and an address. */
interface Facts {
  readonly name: string;
  readonly urls: readonly URL[];
  readonly command: readonly string[] | undefined;
}
type List = (facts: Facts) => string | undefined;

function readList(file: string, required: boolean): List | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!required && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined;
    return () => `${file} cannot be read, so no server is allowed: ${message}`;
  }
  try {
    const { allowedMcpServers, deniedMcpServers } = settingsSchema.parse(JSON.parse(text));
    return (facts) => judge(file, facts, allowedMcpServers, deniedMcpServers ?? []);
  } catch (error) {
    const [issue] = error instanceof z.ZodError ? error.issues : [];
    const why = issue === undefined ? (error as Error).message : `${issue.path.join('.')}: ${issue.message}`;
    return () => `${file} cannot be understood, so no server is allowed: ${why}`;
  }
}

function judge(
  file: string,
  facts: Facts,
  allowed: readonly Rule[] | undefined,
  denied: readonly Rule[],
): string | undefined {
  const denial = denied.find((rule) => fits(rule, facts));
  if (denial !== undefined) return `denied by ${file}: deniedMcpServers has ${JSON.stringify(denial)}`;
  if (allowed === undefined) return undefined;
  const names = allowed.filter((rule) => 'serverName' in rule);
  const urls = allowed.filter((rule) => 'serverUrl' in rule);
  const commands = allowed.filter((rule) => 'serverCommand' in rule);
  const named = names.some((rule) => fits(rule, facts));
  // Where addresses are listed, a name alone does not let an address in; nor a command where commands are.
  const good = [
    ...facts.urls.map((url) =>
      urls.length === 0 ? named : urls.some(({ serverUrl }) => fitsAddress(serverUrl, url)),
    ),
    ...(facts.command === undefined
      ? []
      : [commands.length === 0 ? named : commands.some((rule) => fits(rule, facts))]),
  ];
  if (good.length > 0 && good.every(Boolean)) return undefined;
  return `not allowed by ${file}: no rule of allowedMcpServers fits this server`;
}

function fits(rule: Rule, { name, urls, command }: Facts): boolean {
  if ('serverName' in rule) return rule.serverName === name;
  if ('serverUrl' in rule) return urls.some((url) => fitsAddress(rule.serverUrl, url));
  return command !== undefined && JSON.stringify(rule.serverCommand) === JSON.stringify(command);
}

/**
 * `*` stands for any characters within the scheme, the host (with its port) or the rest, so that no address can show a
 * listed host where its path is. A pattern without a path fits every path.
 */
function fitsAddress(pattern: string, url: URL): boolean {
  const [, scheme = '', host = '', rest = ''] = /^([^:/]+):\/\/([^/?#]*)(.*)$/.exec(pattern) ?? [];
  const standard = url.protocol === 'https:' ? ':443' : ':80';
  const hostname = url.hostname.replace(/\.$/, '');
  const hosts = [
    url.port === '' ? hostname : `${hostname}:${url.port}`,
    ...(url.port === '' ? [hostname + standard] : []),
  ];
  return (
    like(scheme.toLowerCase(), url.protocol.slice(0, -1)) &&
    hosts.some((one) => like(host.toLowerCase(), one)) &&
    (rest === '' || like(rest, url.pathname + url.search) || like(rest, url.pathname))
  );
}

function like(pattern: string, text: string): boolean {
  // Greedy from the left for each piece: no backtracking, however many stars there are.
  const pieces = pattern.split('*');
  const [first = '', ...others] = pieces;
  const last = others.pop();
  if (last === undefined) return pattern === text;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length)
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of others) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}

function factsOf(name: string, server: ServerConfig, resolve: (text: string) => string): Facts {
  const value = (text: string): string => {
    try {
      return resolve(text);
    } catch {
      // Without its value it will not start either.
      return text;
    }
  };
  const addresses = [server.url, server.baseUrl, server.openapi];
  return {
    name,
    urls: addresses.flatMap((address) =>
      address !== undefined && /^https?:/i.test(address) ? [new URL(address)] : [],
    ),
    command: server.command === undefined ? undefined : [server.command, ...server.args].map(value),
  };
}
