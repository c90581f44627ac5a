import type { Dispatcher } from 'undici';
import type { ModelList } from '../contract/registry.ts';
import { createPlanner } from './demo/planner.ts';
import { ModelError, type ModelProvider } from './model.ts';
import { nearest } from '../config/nearest.ts';
import { createOpenAiProvider, MODEL_TIMEOUTS, type ModelTimeouts } from './openai.ts';

/** A provider as it is configured, its references resolved. */
export interface ProviderOptions {
  readonly name: string;
  readonly type: 'openai' | 'openai-compatible' | 'demo';
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
  readonly models?: readonly string[] | undefined;
  readonly allowPrivateAddress?: boolean | undefined;
  /** Why the provider cannot be used, for instance a key that does not resolve: every request answers this. */
  readonly problem?: string | undefined;
}

export interface ModelsOptions {
  readonly providers: readonly ProviderOptions[];
  /** A short name for `provider/model`. */
  readonly aliases: Readonly<Record<string, string>>;
  /** The dispatcher a provider's requests go through; it decides which addresses may be reached. */
  readonly dispatcherFor: (allowPrivateAddress: boolean) => Dispatcher;
  readonly timeouts?: ModelTimeouts;
}

export interface ResolvedModel {
  readonly provider: ModelProvider;
  /** The model's name at its provider. */
  readonly model: string;
  /** `provider/model`. */
  readonly id: string;
}

/** Whether a model, `provider/model`, may be used. */
export type MayUse = (model: string) => boolean;

const ANY: MayUse = () => true;

/** Every model the gateway can reach. */
export interface Models {
  /**
   * The model of an alias or a `provider/model`. Throws `unknown-model`, naming what there is, of that which `may`
   * be used.
   */
  resolve(name: string, may?: MayUse): ResolvedModel;
  /** All models and aliases that `may` be used. A provider that cannot be asked is named in `unavailable`. */
  list(signal: AbortSignal, may?: MayUse): Promise<ModelList>;
}

const OPENAI_URL = 'https://api.openai.com/v1';

export function createModels(options: ModelsOptions): Models {
  const aliases = new Map(Object.entries(options.aliases));
  const entries = new Map(
    options.providers.map((config) => [config.name, { config, provider: createProvider(config, options) }]),
  );

  function known(may: MayUse): string[] {
    const listed = [...entries.values()].flatMap(({ config }) => {
      const models = fixedModels(config)
        ?.map((model) => `${config.name}/${model}`)
        .filter(may);
      return models ?? [`${config.name}/…`].filter(may);
    });
    return [...[...aliases].flatMap(([alias, target]) => (may(target) ? [alias] : [])), ...listed];
  }

  function unknown(name: string, may: MayUse): ModelError {
    const names = known(may);
    const close = nearest(
      name,
      names.filter((one) => !one.endsWith('…')),
    );
    const there = names.length === 0 ? 'No model is configured' : `There is: ${names.join(', ')}`;
    return new ModelError(
      'unknown-model',
      `There is no model "${name}".${close ? ` Did you mean "${close}"?` : ''} ${there}.`,
    );
  }

  return {
    resolve(name, may = ANY) {
      const target = aliases.get(name) ?? name;
      const slash = target.indexOf('/');
      const entry = entries.get(target.slice(0, slash));
      const model = target.slice(slash + 1);
      if (slash < 1 || !entry || model === '' || !may(target)) throw unknown(name, may);
      if (fixedModels(entry.config)?.includes(model) === false) throw unknown(name, may);
      return { provider: entry.provider, model, id: target };
    },
    async list(signal, may = ANY) {
      const list: ModelList = { object: 'list', data: [], unavailable: [] };
      const add = (id: string, owner: string, description: string | undefined): void => {
        if (!may(aliases.get(id) ?? id)) return;
        list.data.push({
          id,
          object: 'model',
          created: 0,
          owned_by: owner,
          ...(description ? { description } : {}),
        });
      };
      const answers = await Promise.allSettled(
        [...entries.values()].map(({ provider }) => provider.list(signal)),
      );
      [...entries.keys()].forEach((name, index) => {
        const answer = answers[index];
        if (answer?.status === 'fulfilled') {
          for (const model of answer.value) add(`${name}/${model.id}`, name, model.description);
        } else if (may(`${name}/…`)) {
          list.unavailable.push({ provider: name, reason: messageOf(answer?.reason) });
        }
      });
      for (const [alias, target] of aliases) add(alias, target.split('/')[0] ?? target, `Alias of ${target}`);
      return list;
    },
  };
}

function createProvider(config: ProviderOptions, options: ModelsOptions): ModelProvider {
  if (config.type === 'demo') return createPlanner(config.name);
  if (config.problem !== undefined) return createBrokenProvider(config.name, config.problem);
  const baseUrl = config.baseUrl ?? (config.type === 'openai' ? OPENAI_URL : undefined);
  if (baseUrl === undefined) throw new Error(`Provider "${config.name}" needs a baseUrl.`);
  return createOpenAiProvider({
    name: config.name,
    baseUrl,
    ...(config.apiKey === undefined ? {} : { apiKey: config.apiKey }),
    ...(config.models === undefined ? {} : { models: config.models }),
    dispatcher: options.dispatcherFor(config.allowPrivateAddress ?? false),
    timeouts: options.timeouts ?? MODEL_TIMEOUTS,
  });
}

function createBrokenProvider(name: string, problem: string): ModelProvider {
  const unready = (): ModelError =>
    new ModelError('unauthorized', `Provider "${name}" cannot be used: ${problem}`);
  return {
    name,
    list: () => Promise.reject(unready()),
    stream: () => {
      throw unready();
    },
  };
}

function fixedModels(config: ProviderOptions): readonly string[] | undefined {
  return config.type === 'demo' ? ['planner'] : config.models;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
