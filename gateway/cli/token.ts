import { openStores, dataFolder, loadConfig, type Stores } from './setup.ts';
import { durationSchema } from '../config/units.ts';
import { EXIT } from '../contract/ipc.ts';
import { tokenViews } from '../identity/token-views.ts';
import { issueToken, OWNER } from '../identity/identity.ts';
import { WHOLE_SCOPE } from '../identity/principal.ts';
import { CliError } from './cli-error.ts';
import { printJson, table } from './print.ts';

interface StoreOptions {
  readonly config: string;
  readonly data?: string;
  readonly json?: boolean;
}

export interface CreateOptions extends StoreOptions {
  readonly name: string;
  readonly group?: string[];
  readonly administrator?: boolean;
  readonly subject?: string;
  readonly expires?: string;
}

/** `toolgate token create`: the only time the token's value is shown. */
export async function createToken(options: CreateOptions): Promise<void> {
  const { config } = loadConfig(options.config);
  const known = config.groups.map(({ name }) => name);
  const unknown = options.group?.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new CliError(`there is no group "${unknown}"; groups: ${known.join(', ') || 'none'}`, EXIT.usage);
  }
  if (options.administrator === true && options.group !== undefined) {
    throw new CliError('--administrator and --group exclude each other', EXIT.usage);
  }
  if (options.subject !== undefined && !/^user:[^\s:]+$/.test(options.subject))
    throw new CliError(`--subject: name a person as user:NAME, not "${options.subject}"`, EXIT.usage);
  const lifetime = options.expires === undefined ? null : durationSchema.safeParse(options.expires);
  if (lifetime?.success === false)
    throw new CliError(`--expires: ${lifetime.error.issues[0]?.message ?? ''}`, EXIT.usage);
  await withStores(options, async ({ configStore, tokenKey }) => {
    const { value, record } = issueToken(
      tokenKey,
      {
        name: options.name,
        subject: options.subject ?? OWNER,
        administrator: options.administrator === true,
        scope: { ...WHOLE_SCOPE, groups: options.group ?? null },
        lifetime: lifetime?.data ?? null,
      },
      Date.now(),
    );
    await configStore.update((state) => {
      if (state.tokens.some(({ name }) => name === options.name)) {
        throw new CliError(`a token named "${options.name}" exists; revoke it first or choose another name`);
      }
      return { ...state, tokens: [...state.tokens, record] };
    });
    if (options.json === true) {
      printJson({ id: record.id, name: record.name, token: value, expiresAt: record.expiresAt });
      return;
    }
    process.stdout.write(`${value}\n`);
    process.stderr.write('Keep it now: it is not shown again.\n');
  });
}

/** `toolgate token list` */
export async function listTokens(options: StoreOptions): Promise<void> {
  await withStores(options, async ({ configStore, activity }) => {
    const tokens = await tokenViews(configStore, activity);
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
        ['id', 'name', 'groups', 'created', 'expires', 'last used'],
        tokens.map((token) => [
          token.id,
          token.name,
          token.groups?.join(', ') ?? 'all',
          token.createdAt.slice(0, 16),
          token.expiresAt?.slice(0, 16) ?? 'never',
          token.lastUsedAt?.slice(0, 16) ?? 'never',
        ]),
      ),
    );
  });
}

/** `toolgate token revoke`: by id or name; holds from the next request on. */
export async function revokeToken(which: string, options: StoreOptions): Promise<void> {
  await withStores(options, async ({ configStore }) => {
    const found = configStore.current().tokens.find(({ id, name }) => id === which || name === which);
    if (found === undefined)
      throw new CliError(`there is no token "${which}"; toolgate token list shows them`);
    await configStore.update((state) => ({
      ...state,
      tokens: state.tokens.filter(({ id }) => id !== found.id),
    }));
    if (options.json === true) {
      printJson({ revoked: found.id });
      return;
    }
    process.stdout.write(`Revoked ${found.name} (${found.id}).\n`);
  });
}

async function withStores(options: StoreOptions, work: (stores: Stores) => Promise<void>): Promise<void> {
  const loaded = loadConfig(options.config);
  const stores = await openStores(dataFolder(loaded, options.data), () => undefined);
  try {
    await work(stores);
  } finally {
    await stores.close();
  }
}
