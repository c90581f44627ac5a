import { readFileSync } from 'node:fs';
import { configViewSchema, testedServerSchema } from '../contract/config.ts';
import { EXIT } from '../contract/ipc.ts';
import { registryViewSchema, type RegistryView } from '../contract/registry.ts';
import { confirm, submit, type ChangeOptions } from './change.ts';
import { CliError } from './cli-error.ts';
import { ask, RefusedError, type ClientOptions } from './client.ts';
import { printJson, table } from './print.ts';

/** What `server add`, `edit`, `promote` and `test` describe a server by. */
export interface ServerOptions {
  readonly url?: string;
  readonly transport?: string;
  readonly openapi?: string;
  readonly baseUrl?: string;
  readonly header?: readonly string[];
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly description?: string;
  readonly tag?: readonly string[];
  readonly allowPrivateAddress?: boolean;
}

type Written = Record<string, unknown>;

/** `toolgate server list` */
export async function listServers(options: ClientOptions & { readonly json?: boolean }): Promise<void> {
  const { groups } = await registry(options);
  const servers = groups.flatMap((group) => group.servers);
  if (options.json === true) {
    printJson(
      servers.map(({ fqn, transport, state, lastError, tools }) => ({
        fqn,
        transport,
        state,
        lastError,
        tools: tools.length,
      })),
    );
    return;
  }
  if (servers.length === 0) process.stdout.write('No server yet: toolgate server add --help\n');
  else
    process.stdout.write(
      table(
        ['server', 'transport', 'state', 'tools', ''],
        servers.map(({ group, name, transport, state, tools, lastError }) => [
          `${group}:${name}`,
          transport,
          state,
          String(tools.length),
          lastError ?? '',
        ]),
      ),
    );
}

/** `toolgate group list` */
export async function listGroups(options: ClientOptions & { readonly json?: boolean }): Promise<void> {
  const { groups } = await registry(options);
  const rows = groups.map(({ name, environment, description, servers }) => ({
    name,
    environment,
    description,
    servers: servers.length,
  }));
  if (options.json === true) printJson(rows);
  else
    process.stdout.write(
      table(
        ['group', 'environment', 'servers', 'description'],
        rows.map((row) => [row.name, row.environment ?? '', String(row.servers), row.description ?? '']),
      ),
    );
}

export interface GroupOptions extends ChangeOptions {
  readonly description?: string;
  readonly environment?: string;
  readonly use?: readonly string[];
  readonly manage?: readonly string[];
}

export function addGroup(name: string, options: GroupOptions): Promise<void> {
  const group = { name, ...groupFields(options) };
  return submit({ method: 'POST', path: '/api/v1/groups', body: { group } }, options);
}

export function editGroup(name: string, options: GroupOptions): Promise<void> {
  const changes = groupFields(options);
  return submit({ method: 'PATCH', path: groupPath(name), body: { changes } }, options);
}

export async function removeGroup(
  name: string,
  options: ChangeOptions & { readonly servers?: boolean },
): Promise<void> {
  const servers = options.servers === true;
  if (options.dryRun !== true)
    await confirm(`Remove the group ${name}${servers ? ' with all its servers' : ''}?`, options);
  await submit({ method: 'DELETE', path: groupPath(name), body: { servers } }, options);
}

export function addServer(
  name: string,
  command: readonly string[],
  options: ChangeOptions & ServerOptions & { readonly group: string },
): Promise<void> {
  const server = { name, ...serverFields(options, command) };
  return submit(
    { method: 'POST', path: `${groupPath(options.group)}/servers`, body: { server }, typed: command },
    options,
  );
}

export function editServer(
  id: string,
  command: readonly string[],
  options: ChangeOptions & ServerOptions & { readonly unset?: readonly string[] },
): Promise<void> {
  const taken = Object.fromEntries((options.unset ?? []).map((key) => [key, null]));
  const changes = { ...taken, ...serverFields(options, command) };
  if (Object.keys(changes).length === 0)
    throw new CliError('say what to change; --help lists it', EXIT.usage);
  return submit({ method: 'PATCH', path: serverPath(id), body: { changes }, typed: command }, options);
}

export function setDisabled(id: string, disabled: boolean, options: ChangeOptions): Promise<void> {
  const changes = { disabled: disabled ? true : null };
  return submit({ method: 'PATCH', path: serverPath(id), body: { changes } }, options);
}

export async function removeServer(id: string, options: ChangeOptions): Promise<void> {
  if (options.dryRun !== true) await confirm(`Remove the server ${id}?`, options);
  await submit({ method: 'DELETE', path: serverPath(id) }, options);
}

export function moveServer(id: string, group: string, options: ChangeOptions): Promise<void> {
  return submit({ method: 'POST', path: `${serverPath(id)}/move`, body: { group } }, options);
}

export function promoteServer(
  id: string,
  group: string,
  command: readonly string[],
  options: ChangeOptions & ServerOptions & { readonly name?: string },
): Promise<void> {
  const changes = {
    ...(options.name !== undefined && { name: options.name }),
    ...serverFields(options, command),
  };
  return submit(
    { method: 'POST', path: `${serverPath(id)}/promote`, body: { group, changes }, typed: command },
    options,
  );
}

/** `toolgate server test`: exits with 1 when the server cannot be reached. */
export async function testServer(
  command: readonly string[],
  options: ClientOptions & ServerOptions & { readonly json?: boolean },
): Promise<void> {
  const server = { name: 'trial', ...serverFields(options, command) };
  const send = (consents: readonly string[]): Promise<unknown> =>
    ask(options, '/api/v1/servers/test', { server, consents });
  const answer = await send([]).catch((error: unknown) => {
    const launches = error instanceof RefusedError ? error.problem.launches : undefined;
    if (launches === undefined) throw error;
    return send(launches.map(({ consent }) => consent));
  });
  const tested = testedServerSchema.parse(answer);
  if (!tested.ok) process.exitCode = EXIT.failed;
  if (options.json === true) printJson(tested);
  else if (tested.ok) {
    const { serverInfo, protocolVersion, tools, resources, prompts, problems, durationMs } = tested;
    process.stdout.write(
      `${serverInfo.name} ${serverInfo.version} (MCP ${protocolVersion}) answered in ${Math.round(durationMs)} ms: ` +
        `${tools.length} tools, ${resources} resources, ${prompts} prompts\n`,
    );
    for (const tool of tools) process.stdout.write(`  ${tool}\n`);
    for (const problem of problems) process.stdout.write(`! ${problem}\n`);
  } else {
    process.stdout.write(`It could not be reached: ${tested.error}\n`);
    for (const line of tested.stderrTail) process.stdout.write(`  ${line}\n`);
  }
}

/** `toolgate apply FILE`: makes a whole configuration that of a running gateway. */
export function apply(file: string, options: ChangeOptions): Promise<void> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new CliError(`${file} cannot be read: ${(error as Error).message}`, EXIT.usage);
  }
  return submit({ method: 'PUT', path: '/api/v1/config', body: { text } }, options);
}

/** `toolgate config`: exits with 1 when the file holds a later text that is wrong. */
export async function showConfig(options: ClientOptions & { readonly json?: boolean }): Promise<void> {
  const view = configViewSchema.parse(await ask(options, '/api/v1/config'));
  const { text, problems, restartNeeded } = view;
  if (problems.length > 0) process.exitCode = EXIT.failed;
  if (options.json === true) {
    printJson(view);
    return;
  }
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  if (restartNeeded.length > 0)
    process.stderr.write(`In force after a restart of the gateway: ${restartNeeded.join(', ')}.\n`);
  if (problems.length > 0)
    process.stderr.write(`The file has changed and is wrong; what is above stays in force:\n`);
  for (const problem of problems) process.stderr.write(`  ${problem}\n`);
}

async function registry(options: ClientOptions): Promise<RegistryView> {
  return registryViewSchema.parse(await ask(options, '/api/v1/registry'));
}

function groupPath(name: string): string {
  return `/api/v1/groups/${encodeURIComponent(name)}`;
}

function serverPath(id: string): string {
  const parts = id.split(':');
  const [group, name] = parts.slice(-2);
  if (parts.length < 2 || parts.length > 3 || !group || !name)
    throw new CliError(`name the server as group:server, not "${id}"`, EXIT.usage);
  return `${groupPath(group)}/servers/${encodeURIComponent(name)}`;
}

function groupFields({ description, environment, use, manage }: GroupOptions): Written {
  return {
    ...(description !== undefined && { description }),
    ...(environment !== undefined && { environment }),
    ...((use ?? manage) !== undefined && { access: { use: use ?? [], manage: manage ?? [] } }),
  };
}

function serverFields(options: ServerOptions, [command, ...args]: readonly string[]): Written {
  const { url, transport, openapi, baseUrl, header, env, cwd, description, tag } = options;
  const given = { url, transport, openapi, baseUrl, cwd, description, tags: tag, command };
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    ...(command !== undefined && { args }),
    ...(header !== undefined && { auth: { type: 'header', headers: pairs(header, ':', '--header') } }),
    ...(env !== undefined && { env: pairs(env, '=', '--env') }),
    ...(options.allowPrivateAddress === true && { allowPrivateAddress: true }),
  };
}

function pairs(texts: readonly string[], separator: string, option: string): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf(separator);
      if (at < 1) throw new CliError(`${option} takes NAME${separator}VALUE, not "${text}"`, EXIT.usage);
      return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
    }),
  );
}
