import type { Compiled, Policies } from '../access/policies.ts';
import type { Applies, PolicyFacts } from '../access/when.ts';
import type { Budget, RateLimit } from '../config/policies/limits.ts';
import type { Rate } from '../config/units.ts';
import type { CounterWindow } from '../storage/contracts.ts';
import { periodOf } from './period.ts';

/** What is counted. */
export type Unit = 'calls' | 'tokens' | 'cost';

/** One window of a policy. */
export interface Limit {
  readonly unit: Unit;
  readonly window: CounterWindow;
  readonly amount: number;
  /** As it was written: `5/min`. */
  readonly text: string;
}

/** How many calls may be under way at once. */
export interface Concurrency {
  readonly unit: 'concurrency';
  readonly amount: number;
  readonly text: string;
}

/** A rate limit or a budget, ready to be asked. */
export interface LimitRule {
  readonly name: string;
  readonly kind: 'rate-limit' | 'budget';
  readonly applies: Applies;
  readonly limits: readonly Limit[];
  readonly concurrency: number | undefined;
  readonly per: readonly string[];
  readonly enforced: boolean;
  /** Whether a call whose cost nobody knows may pass where cost is counted. */
  readonly passesUnpriced: boolean;
  /** Percent of a limit, in ascending order. */
  readonly alerts: readonly number[];
  /** Whose counters a call counts in: several, where its caller is in several teams. */
  readonly holdersOf: (facts: PolicyFacts) => readonly Holder[];
}

/** What has a counter: a value of each of the dimensions of its rule. */
export interface Holder {
  /** The dimensions' values as one text. */
  readonly key: string;
  readonly values: Readonly<Record<string, string>>;
}

/** What a holder's counter of a limit is kept under. Names have no spaces. */
export function keyOf({ name }: LimitRule, { key }: Holder, { unit }: Limit): string {
  return `${name} ${unit} ${key}`;
}

/** What the places that a holder has taken are kept under. */
export function placesKeyOf({ name }: LimitRule, { key }: Holder): string {
  return `${name} places ${key}`;
}

/** Whose counter is kept under this key; undefined where it is none of the rule as it is now. The reverse of `keyOf`. */
export function holderIn({ per }: LimitRule, text: string): Holder | undefined {
  const key = text.replace(/^\S* \S* /, '');
  const values: Record<string, string> = {};
  let rest = key;
  for (const name of per) {
    const [head, length] = /^(\d+):/.exec(rest) ?? [];
    if (head === undefined || rest.length < head.length + Number(length)) return undefined;
    values[name] = rest.slice(head.length, head.length + Number(length));
    rest = rest.slice(head.length + Number(length));
  }
  return rest === '' ? { key, values } : undefined;
}

/** As it is written in the configuration. */
export function modeOf({ enforced }: LimitRule): 'enforce' | 'audit' {
  return enforced ? 'enforce' : 'audit';
}

/** When the period of a budget's limit ends, in ms since the epoch; null of a rate limit, which has none. */
export function resetsAt(limit: Limit | Concurrency, now: number): number | null {
  return 'window' in limit && typeof limit.window === 'string' ? periodOf(limit.window, now).end : null;
}

/** The rules of a configuration, in its order. */
export function compileRules({ rateLimits, budgets }: Policies): LimitRule[] {
  return [...rateLimits.map(fromRateLimit), ...budgets.map(fromBudget)];
}

function fromRateLimit({ policy, applies }: Compiled<RateLimit>): LimitRule {
  const { limits } = policy;
  const windows = (unit: Unit, rates: readonly Rate[] | undefined): Limit[] =>
    (rates ?? []).map(({ amount, window, text }) => ({ unit, amount, window, text }));
  return {
    name: policy.name,
    kind: 'rate-limit',
    applies,
    limits: [
      ...windows('calls', limits.calls),
      ...windows('tokens', limits.tokens),
      ...windows('cost', limits.cost),
    ],
    concurrency: limits.concurrency,
    per: policy.per,
    enforced: policy.mode === 'enforce',
    passesUnpriced: policy.unpriced === 'allow',
    alerts: [],
    holdersOf: createHolders(policy.per),
  };
}

function fromBudget({ policy, applies }: Compiled<Budget>): LimitRule {
  const limits: Limit[] = [];
  for (const unit of ['cost', 'tokens'] as const) {
    const spend = policy.limits[unit];
    if (spend !== undefined)
      limits.push({ unit, window: spend.period, amount: spend.amount, text: spend.text });
  }
  return {
    name: policy.name,
    kind: 'budget',
    applies,
    limits,
    concurrency: undefined,
    per: policy.per,
    enforced: policy.mode === 'enforce',
    passesUnpriced: policy.unpriced === 'allow',
    alerts: policy.alerts.toSorted((a, b) => a - b),
    holdersOf: createHolders(policy.per),
  };
}

/** Whoever leaves out what a rule goes by shares one counter with all who do. */
const UNSET = '-';
/** Of a rule that keeps no counters apart. */
export const SHARED: Holder = { key: '', values: {} };
const ALL: readonly Holder[] = [SHARED];

function createHolders(per: readonly string[]): (facts: PolicyFacts) => readonly Holder[] {
  if (per.length === 0) return () => ALL;
  const dimensions = per.map((name) => ({ name, of: valuesOf(name) }));
  return (facts) => {
    let holders = ALL;
    for (const { name, of } of dimensions)
      holders = holders.flatMap(({ key, values }) =>
        of(facts).map((value) => ({
          // Of a text that may hold anything, only its length keeps it apart from what follows.
          key: `${key}${value.length}:${value}`,
          values: { ...values, [name]: value },
        })),
      );
    return holders;
  };
}

function valuesOf(dimension: string): (facts: PolicyFacts) => readonly string[] {
  switch (dimension) {
    case 'principal':
      return ({ person }) => [person.subject];
    case 'team':
      return ({ person }) => {
        const teams = [...person.names].filter((name) => name.startsWith('team:'));
        return teams.length === 0 ? [UNSET] : teams;
      };
    case 'token':
      return ({ tokenId }) => [tokenId];
    case 'model':
      return ({ model }) => [model === '' ? UNSET : model];
    // A virtual server's tool counts as the one behind it.
    case 'server':
      return ({ targets }) => [targets.at(-1)?.serverId ?? UNSET];
    case 'group':
      return ({ targets }) => [targets.at(-1)?.group ?? UNSET];
    case 'tool':
      return ({ targets }) => {
        const target = targets.at(-1);
        return [target?.tool === undefined ? UNSET : `${target.serverId}:${target.tool.name}`];
      };
    default: {
      const key = dimension.slice('metadata.'.length);
      return ({ metadata }) => [(Object.hasOwn(metadata, key) ? metadata[key] : undefined) ?? UNSET];
    }
  }
}
