import type { Price } from '../config/policies/limits.ts';
import { compileGlob } from '../access/match.ts';
import type { ResolvedModel } from '../models/models.ts';

/** What calls of models cost. */
export interface Prices {
  /** US dollars; null when there is no price. */
  cost(
    model: ResolvedModel,
    inputTokens: number,
    outputTokens: number,
  ): number | null | Promise<number | null>;
}

/** Dollars for a million tokens. */
interface Rates {
  readonly input: number;
  readonly output: number;
}

/** Gives the known price of a model of a provider of a type; null when there is none. */
export type KnownPrices = (type: string, model: string) => Rates | null;

const MILLION = 1_000_000;
const FREE: Rates = { input: 0, output: 0 };

/**
 * The configuration's prices first, then the known ones, which are loaded when first needed. The demo model is no
 * service and costs nothing. `typeOf` gives a provider's type by its name.
 */
export function createPrices(
  own: readonly Price[],
  typeOf: (provider: string) => string | undefined,
  load: () => Promise<KnownPrices>,
): Prices {
  const configured = own.map(({ models, input, output }) => ({
    globs: models.map(compileGlob),
    rates: { input, output },
  }));
  const found = new Map<string, Rates | null | Promise<Rates | null>>();
  const search = (model: ResolvedModel): Rates | null | Promise<Rates | null> => {
    const named = configured.find(({ globs }) => globs.some((matches) => matches(model.id)));
    if (named !== undefined) return named.rates;
    const type = typeOf(model.provider.name);
    if (type === undefined || type === 'demo') return type === 'demo' ? FREE : null;
    return load().then((known) => {
      const rates = known(type, model.model);
      found.set(model.id, rates);
      return rates;
    });
  };
  return {
    cost: (model, input, output) => {
      let rates = found.get(model.id);
      if (rates === undefined) found.set(model.id, (rates = search(model)));
      return rates instanceof Promise
        ? rates.then((one) => costOf(one, input, output))
        : costOf(rates, input, output);
    },
  };
}

function costOf(rates: Rates | null, input: number, output: number): number | null {
  return rates && (rates.input * input + rates.output * output) / MILLION;
}

/** A chunk of its own in the built program: its tables take memory that only who counts cost should spend. */
export async function loadKnownPrices(): Promise<KnownPrices> {
  const { calcPrice } = await import('@pydantic/genai-prices');
  return (type, model) => {
    const price = (usage: { input_tokens: number; output_tokens: number }): number | undefined =>
      calcPrice(usage, model, type === 'openai' ? { providerId: 'openai' } : {})?.total_price;
    const [input, output] = [
      price({ input_tokens: MILLION, output_tokens: 0 }),
      price({ input_tokens: 0, output_tokens: MILLION }),
    ];
    return input === undefined || output === undefined ? null : { input, output };
  };
}
