import { request, type Dispatcher } from 'undici';
import {
  registryListSchema,
  registryServerResponseSchema,
  type RegistryInput,
  type RegistryPackage,
  type RegistryServer,
} from '../contract/registry-api.ts';
import type { Preset, Presets } from '../contract/presets.ts';
import { validName } from './import/proposal.ts';

export interface RegistrySearch {
  /** The registry's address, before `/v0.1`. */
  readonly registry: string;
  readonly query: string;
  readonly dispatcher: Dispatcher;
}

const TIMEOUT_MS = 15_000;
const LARGEST_ANSWER = 4 * 1024 * 1024;
const MOST = 50;

/** What a registry answered that is no answer, in words. */
export class RegistryUnavailableError extends Error {}

/**
 * Searches an MCP registry (`/v0.1/servers`) for servers that can be registered here. One request, one page, bounded
 * in time and size. Rejects with a `RegistryUnavailableError`. What the registry says is shown, never run.
 */
export async function searchRegistry({ registry, query, dispatcher }: RegistrySearch): Promise<Presets> {
  const url = new URL(`${registry.replace(/\/+$/, '')}/v0.1/servers`);
  url.searchParams.set('limit', String(MOST));
  url.searchParams.set('version', 'latest');
  if (query !== '') url.searchParams.set('search', query);
  const answer = registryListSchema.safeParse(await fetchJson(url, dispatcher));
  if (!answer.success)
    throw new RegistryUnavailableError(`${url.host} did not answer as an MCP registry does`);
  const presets: Preset[] = [];
  const problems: Presets['problems'] = [];
  for (const value of answer.data.servers.slice(0, MOST)) {
    const parsed = registryServerResponseSchema.safeParse(value);
    if (!parsed.success) continue;
    const { server } = parsed.data;
    try {
      presets.push(presetOf(server));
    } catch (error) {
      problems.push({ name: server.name, message: (error as Error).message });
    }
  }
  return { presets, problems };
}

async function fetchJson(url: URL, dispatcher: Dispatcher): Promise<unknown> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const { statusCode, body } = await request(url, {
      dispatcher,
      signal,
      headers: { accept: 'application/json' },
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > LARGEST_ANSWER)
        throw new Error(`its answer is larger than ${LARGEST_ANSWER / 1024 / 1024} MiB`);
      chunks.push(chunk);
    }
    if (statusCode !== 200) throw new Error(`it answered with HTTP ${statusCode}`);
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new RegistryUnavailableError(`${url.host} could not be searched: ${(error as Error).message}`);
  }
}

/** A server of a registry as one of ours: its remote address where it has one, else its package. Throws in words. */
export function presetOf(server: RegistryServer): Preset {
  const name = validName(server.name.slice(server.name.lastIndexOf('/') + 1));
  const common = {
    name: server.name,
    title: server.title ?? name,
    description: server.description,
    tags: [],
  };
  const described = { name, ...(server.description !== '' && { description: server.description }) };
  const remote =
    server.remotes?.find(({ type }) => type === 'streamable-http') ??
    server.remotes?.find(({ type }) => type === 'sse');
  if (remote !== undefined) {
    if (/[{}]/.test(remote.url))
      throw new Error(`its address ${remote.url} has parts to fill in: add it by hand`);
    const headers = inputsOf(name, remote.headers ?? []);
    const hasHeaders = Object.keys(headers.values).length > 0;
    return {
      ...common,
      auth: hasHeaders ? 'header' : 'none',
      ...headers.credential,
      server: {
        ...described,
        url: remote.url,
        ...(remote.type === 'sse' && { transport: 'sse' }),
        ...(hasHeaders && { auth: { type: 'header', headers: headers.values } }),
      },
    };
  }
  const found = server.packages?.find(
    (one) => (one.transport?.type ?? 'stdio') === 'stdio' && Object.hasOwn(RUNNERS, one.registryType),
  );
  if (found === undefined)
    throw new Error('it has neither a remote address nor a package of npm, PyPI or OCI over stdio');
  const env = inputsOf(name, found.environmentVariables ?? []);
  const hasEnv = Object.keys(env.values).length > 0;
  const [command, ...args] = launchOf(found, Object.keys(env.values));
  return {
    ...common,
    auth: hasEnv ? 'env' : 'none',
    ...env.credential,
    server: { ...described, command, args, ...(hasEnv && { env: env.values }) },
  };
}

const RUNNERS: Readonly<
  Record<string, (found: RegistryPackage, env: readonly string[]) => [string, ...string[]]>
> = {
  npm: ({ identifier, version, runtimeArguments }) => [
    'npx',
    ...(argumentsOf(runtimeArguments).includes('-y') ? [] : ['-y']),
    ...argumentsOf(runtimeArguments),
    version === undefined ? identifier : `${identifier}@${version}`,
  ],
  pypi: ({ identifier, version, runtimeArguments }) => [
    'uvx',
    ...argumentsOf(runtimeArguments),
    version === undefined ? identifier : `${identifier}@${version}`,
  ],
  oci: ({ identifier, runtimeArguments }, env) => [
    'docker',
    'run',
    '-i',
    '--rm',
    ...env.flatMap((name) => ['-e', name]),
    ...argumentsOf(runtimeArguments),
    identifier,
  ],
};

function launchOf(found: RegistryPackage, env: readonly string[]): [string, ...string[]] {
  // What starts with a dash would be an option of the runner, not what it is to run.
  if (found.identifier.startsWith('-')) throw new Error(`${found.identifier} is no name of a package`);
  const run = RUNNERS[found.registryType];
  if (run === undefined) throw new Error(`packages of ${found.registryType} are not supported`);
  return [...run(found, env), ...argumentsOf(found.packageArguments)];
}

function argumentsOf(list: RegistryPackage['packageArguments'] = []): string[] {
  return list.flatMap(({ type, name, value, default: preset, valueHint, isRequired }) => {
    const given = value ?? preset;
    if (given !== undefined && /\{\w+\}/.test(given))
      throw new Error(`its argument ${given} has parts to fill in: add it by hand`);
    if (type === 'named' && name !== undefined)
      return given === undefined ? (isRequired === true ? [name] : []) : [`${name}=${given}`];
    if (given !== undefined) return [given];
    if (isRequired === true)
      throw new Error(`it needs an argument, ${valueHint ?? 'unnamed'}: add it by hand`);
    return [];
  });
}

/** Headers or variables: what is required and not given becomes a secret. */
function inputsOf(
  server: string,
  inputs: readonly RegistryInput[],
): { readonly values: Record<string, string>; readonly credential: Pick<Preset, 'credential'> } {
  const values: Record<string, string> = {};
  let credential: Pick<Preset, 'credential'> = {};
  for (const { name, value, default: preset, description, isRequired, isSecret } of inputs) {
    if (name === '') continue;
    const secret = `${server}-${name}`.replace(/[^A-Za-z0-9]+/g, '-');
    const given = value ?? preset;
    const asks = isRequired === true || isSecret === true;
    const filled =
      given?.replace(/\$?\{[^}]*\}/g, `\${secret:${secret}}`) ?? (asks ? `\${secret:${secret}}` : undefined);
    if (filled === undefined) continue;
    Object.defineProperty(values, name, { value: filled, enumerable: true });
    if (filled.includes('${secret:') && credential.credential === undefined)
      credential = { credential: { secret, what: description ?? name } };
  }
  return { values, credential };
}
