import { checkPolicy } from '../access/policies.ts';
import { differences, needRestart } from '../config/difference.ts';
import { editConfig, EditError, type Edit } from '../config/edit.ts';
import { formatIssue, parseConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { ConfigChanged, ConfigView, LaunchView } from '../contract/config.ts';
import { ConflictError, UnwritableError, type ConfigSource, type ConfigText } from '../storage/contracts.ts';
import type { Consents } from './consents.ts';
import { newLaunches } from './launches.ts';
import { beyondManager } from './manager-limits.ts';

export interface ChangeOptions {
  /** The revision the change is made to; whatever is in force when left out. */
  readonly revision?: string | undefined;
  /** Hashes of the commands whose running is consented to. */
  readonly consents: readonly string[];
  /** The subject who changes it. */
  readonly by: string;
  /** Tells what would change, and changes nothing. */
  readonly dryRun: boolean;
  /** Made by one who manages a group, and not the gateway. */
  readonly limited?: boolean;
}

/** Why a change was not made. */
export class ChangeError extends Error {
  readonly status: 400 | 403 | 404 | 409;
  readonly field: string | undefined;
  readonly rule: string | undefined;
  /** The commands that want consent. */
  readonly launches: readonly LaunchView[] | undefined;

  constructor(
    status: 400 | 403 | 404 | 409,
    message: string,
    more: {
      readonly field?: string;
      readonly rule?: string;
      readonly launches?: readonly LaunchView[];
    } = {},
  ) {
    super(message);
    this.name = 'ChangeError';
    this.status = status;
    this.field = more.field;
    this.rule = more.rule;
    this.launches = more.launches;
  }
}

/**
 * The configuration while the gateway runs. Its text is the truth and a person's to edit: changes are made to the
 * text, one after another, checked whole before they are written, and in force when they resolve. A text that was
 * put into the source by hand is followed as well; one that is wrong is told, and the one before stays in force.
 */
export interface Configuration {
  current(): { readonly text: string; readonly config: Config };
  view(): ConfigView;
  /** Rejects with a `ChangeError`. */
  replace(text: string, options: ChangeOptions): Promise<ConfigChanged>;
  /** Rejects with a `ChangeError`. */
  edit(edit: Edit, options: ChangeOptions): Promise<ConfigChanged>;
  close(): void;
}

export interface ConfigurationDeps {
  readonly source: ConfigSource;
  readonly consents: Consents;
  readonly initial: ConfigText & { readonly config: Config };
  /** Puts a configuration in force. Throws, and changes nothing, when it cannot be used. */
  readonly apply: (config: Config) => void;
  /** Told of a text that was followed, or of what is wrong with one that was not. */
  readonly onFollowed: (problems: readonly string[]) => void;
}

const NAME = 'toolgate.yaml';

export function createConfiguration(deps: ConfigurationDeps): Configuration {
  const { source, initial, apply } = deps;
  let current: ConfigText & { readonly config: Config } = initial;
  let problems: readonly string[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return turn;
  };
  const change = (make: (text: string) => string, options: ChangeOptions): Promise<ConfigChanged> =>
    inTurn(async () => {
      if (options.revision !== undefined && options.revision !== current.revision) throw changedMeanwhile();
      const text = make(current.text);
      const config = check(text);
      const answer = {
        dryRun: options.dryRun,
        changes: differences(current.config, config),
        restartNeeded: needRestart(initial.config, config),
      };
      if (options.limited === true) keepWithin(current.config, config);
      if (options.dryRun) return { revision: current.revision, ...answer };
      await consentTo(newLaunches(current.config, config), options, deps.consents);
      const kept = await source.replace(text, current.revision).catch((error: unknown) => {
        throw toChangeError(error);
      });
      apply(config);
      current = { ...kept, config };
      problems = [];
      return { revision: kept.revision, ...answer };
    });
  const follow = (): Promise<void> =>
    inTurn(async () => {
      try {
        const found = await source.read();
        if (found.revision === current.revision && problems.length === 0) return;
        const config = check(found.text);
        if (found.revision !== current.revision) apply(config);
        current = { ...found, config };
        problems = [];
      } catch (error) {
        problems = (error as Error).message.split('\n');
      }
      deps.onFollowed(problems);
    });
  const stop = source.onChange(() => void follow());
  return {
    current: () => current,
    view: () => ({
      revision: current.revision,
      text: current.text,
      problems: [...problems],
      restartNeeded: needRestart(initial.config, current.config),
    }),
    replace: (text, options) => change(() => text, options),
    edit: (edit, options) => change((text) => edited(text, edit), options),
    close: stop,
  };
}

function keepWithin(before: Config, after: Config): void {
  const beyond = beyondManager(before, after);
  if (beyond !== undefined)
    throw new ChangeError(403, `${beyond}: that takes an administrator`, { rule: 'administrator' });
}

function edited(text: string, edit: Edit): string {
  try {
    return editConfig(text, edit);
  } catch (error) {
    if (!(error instanceof EditError)) throw error;
    throw new ChangeError(error.status, error.message, { field: error.field });
  }
}

/** The configuration of a text, checked as at the start of a gateway. */
function check(text: string): Config {
  const parsed = parseConfig(text);
  if (!parsed.ok) {
    throw new ChangeError(400, parsed.issues.map((issue) => formatIssue(NAME, issue)).join('\n'), {
      field: parsed.issues[0]?.path ?? '',
    });
  }
  try {
    checkPolicy(parsed.config);
  } catch (error) {
    throw new ChangeError(400, `${NAME} ${(error as Error).message}`);
  }
  return parsed.config;
}

function changedMeanwhile(): ChangeError {
  return new ChangeError(
    409,
    'somebody changed the configuration meanwhile: read it again, then repeat this',
    {
      field: 'revision',
    },
  );
}

function toChangeError(error: unknown): unknown {
  if (error instanceof ConflictError) return changedMeanwhile();
  if (error instanceof UnwritableError)
    return new ChangeError(409, error.message, { rule: 'config-read-only' });
  return error;
}

/**
 * A command is a program on this machine: who has it run says which. Resolves when every launch is consented to, now
 * or before, and that is written down; rejects with a `ChangeError` that tells the hashes of those that are not.
 */
export async function consentTo(
  launches: readonly LaunchView[],
  given: Pick<ChangeOptions, 'consents' | 'by'>,
  consents: Consents,
): Promise<void> {
  const fresh = launches.filter(({ consent }) => !consents.has(consent));
  const unknown = fresh.filter(({ consent }) => !given.consents.includes(consent));
  if (unknown.length > 0) throw wantsConsent(unknown);
  await consents.record(fresh, given.by);
}

function wantsConsent(launches: readonly LaunchView[]): ChangeError {
  const commands = launches.map(({ command, args }) => [command, ...args].join(' '));
  return new ChangeError(
    409,
    `this would run ${commands.join('; ')} on the gateway's machine: repeat it with the launches' hashes in consents`,
    { field: 'consents', rule: 'launch-consent', launches },
  );
}
