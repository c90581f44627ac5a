import type { Command } from 'commander';
import { tokenRequestSchema } from '../contract/tokens.ts';
import { EXIT } from '../contract/ipc.ts';
import { OWNER } from '../identity/identity.ts';
import { WHOLE_SCOPE } from '../identity/principal.ts';
import { durationOf, TokenError, toNewToken } from '../identity/token-request.ts';
import { tokenViews } from '../identity/token-views.ts';
import { createTokens, NameTakenError, type Issued, type Tokens } from '../identity/tokens.ts';
import type { TokenRecord } from '../storage/contracts.ts';
import { CliError } from './cli-error.ts';
import { printJson, table } from './print.ts';
import { openStores, dataFolder, loadConfig, type LoadedConfig, type Stores } from './setup.ts';

interface StoreOptions {
  readonly config: string;
  readonly data?: string;
  readonly json?: boolean;
}

interface CreateOptions extends StoreOptions {
  readonly name: string;
  readonly subject?: string;
  readonly group?: string[];
  readonly server?: string[];
  readonly tool?: string[];
  readonly model?: string[];
  readonly administrator?: boolean;
  readonly expires?: string;
}

/** `toolgate token`; `common` adds the options that say where the data is. These commands need no running gateway. */
export function addTokenCommands(root: Command, common: (command: Command) => Command): void {
  const token = root.command('token').description('make, list, rotate and revoke the tokens callers use');
  common(
    token
      .command('create')
      .description('make a token and print it, this once')
      .requiredOption('-n, --name <name>', 'what it is for')
      .option('--subject <subject>', 'whose it is: user:ID or serviceaccount:NAME (default: user:owner)')
      .option('-g, --group <group...>', 'narrow it to these groups')
      .option('--server <server...>', 'narrow it to these servers: group:server')
      .option('--tool <tool...>', 'narrow it to these tools: group:server:tool, with * and ?')
      .option('--model <model...>', 'narrow it to these models: provider/model, with * and ?')
      .option('--administrator', 'let it administer the gateway')
      .option('--expires <duration>', 'for instance 30d; never by default'),
  ).action(create);
  common(token.command('list').description('list tokens; their values are not kept')).action(list);
  common(
    token
      .command('rotate')
      .description('give a token a new value and print it, this once')
      .argument('<token>', 'its id or name')
      .option('--grace <duration>', 'for how long the value before holds too', '1h'),
  ).action(rotate);
  common(
    token
      .command('revoke')
      .description('revoke a token, or all of a subject; holds from its next request on')
      .argument('[token]', 'its id or name')
      .option('--all-of <subject>', 'all tokens of user:ID or serviceaccount:NAME'),
  ).action(revoke);
}

async function create(options: CreateOptions): Promise<void> {
  await withTokens(options, async ({ tokens, loaded, now }) => {
    const wish = tokenRequestSchema.safeParse({
      name: options.name,
      subject: options.subject ?? OWNER,
      scope: {
        ...WHOLE_SCOPE,
        ...(options.group !== undefined && { groups: options.group }),
        ...(options.server !== undefined && { servers: options.server }),
        ...(options.tool !== undefined && { tools: options.tool }),
        ...(options.model !== undefined && { models: options.model }),
      },
      administrator: options.administrator === true,
      ...(options.expires !== undefined && { expires: options.expires }),
    });
    if (!wish.success) {
      const [issue] = wish.error.issues;
      throw new CliError(`--${String(issue?.path[0] ?? '')}: ${issue?.message ?? ''}`, EXIT.usage);
    }
    const request = toNewToken({ ...wish.data, subject: wish.data.subject ?? OWNER }, loaded.config, now);
    print(options, await tokens.create(request));
  });
}

function print(options: StoreOptions, { value, record }: Issued): void {
  if (options.json === true) {
    printJson({ id: record.id, name: record.name, token: value, expiresAt: record.expiresAt });
    return;
  }
  process.stdout.write(`${value}\n`);
  process.stderr.write('Keep it now: it is not shown again.\n');
}

async function list(options: StoreOptions): Promise<void> {
  await withTokens(options, async ({ stores, now }) => {
    const tokens = await tokenViews(stores.configStore.current().tokens, stores.activity, now);
    if (options.json === true) {
      printJson(tokens);
      return;
    }
    if (tokens.length === 0) {
      process.stdout.write('No tokens yet. Make one: toolgate token create --name me --administrator\n');
      return;
    }
    process.stdout.write(
      table(
        ['id', 'name', 'whose', 'reaches', 'created', 'expires', 'last used'],
        tokens.map((token) => [
          token.id,
          token.name,
          token.administrator ? `${token.subject} (administrator)` : token.subject,
          reachOf(token.scope),
          token.createdAt.slice(0, 16),
          token.expired ? 'expired' : (token.expiresAt?.slice(0, 16) ?? 'never'),
          token.lastUsedAt?.slice(0, 16) ?? 'never',
        ]),
      ),
    );
  });
}

function reachOf(scope: TokenRecord['scope']): string {
  const parts = Object.entries(scope).flatMap(([part, names]: [string, readonly string[] | null]) =>
    names === null ? [] : [`${part}: ${names.join(', ') || 'none'}`],
  );
  return parts.join('; ') || 'all';
}

async function rotate(which: string, options: StoreOptions & { readonly grace: string }): Promise<void> {
  await withTokens(options, async ({ tokens, stores }) => {
    const found = find(stores, which);
    const issued = await tokens.rotate(found.id, durationOf('grace', options.grace));
    if (issued === undefined) throw new CliError(`${found.name} was revoked meanwhile`);
    print(options, issued);
  });
}

async function revoke(
  which: string | undefined,
  options: StoreOptions & { readonly allOf?: string },
): Promise<void> {
  if ((which === undefined) === (options.allOf === undefined))
    throw new CliError('name one token by id or name, or a subject with --all-of', EXIT.usage);
  await withTokens(options, async ({ tokens, stores }) => {
    if (which === undefined) {
      const revoked = await tokens.revoke(({ subject }) => subject === options.allOf);
      if (options.json === true) printJson({ revoked });
      else process.stdout.write(`Revoked ${revoked.length} of ${options.allOf ?? ''}.\n`);
      return;
    }
    const found = find(stores, which);
    await tokens.revoke(({ id }) => id === found.id);
    if (options.json === true) printJson({ revoked: found.id });
    else process.stdout.write(`Revoked ${found.name} (${found.id}).\n`);
  });
}

function find({ configStore }: Stores, which: string): TokenRecord {
  const found = configStore.current().tokens.find(({ id, name }) => id === which || name === which);
  if (found === undefined) throw new CliError(`there is no token "${which}"; toolgate token list shows them`);
  return found;
}

interface Opened {
  readonly tokens: Tokens;
  readonly stores: Stores;
  readonly loaded: LoadedConfig;
  readonly now: number;
}

async function withTokens(options: StoreOptions, work: (opened: Opened) => Promise<void>): Promise<void> {
  const loaded = loadConfig(options.config);
  const stores = await openStores(dataFolder(loaded, options.data), () => undefined);
  try {
    const tokens = createTokens({ store: stores.configStore, key: stores.tokenKey, now: Date.now });
    await work({ tokens, stores, loaded, now: Date.now() });
  } catch (error) {
    if (error instanceof TokenError)
      throw new CliError(`--${error.field.replace(/^scope\.(.*)s$/, '$1')}: ${error.message}`, EXIT.usage);
    throw error instanceof NameTakenError ? new CliError(error.message) : error;
  } finally {
    await stores.close();
  }
}
