import type { Amounts, LimitRefusal, Limits } from '../limits/limits.ts';
import type { JsonObject } from '../contract/json.ts';
import { ModelError } from '../models/model.ts';
import type { Prices } from '../limits/prices.ts';
import { note, type Call, type Outcome, type Refusal, type Stage } from './call.ts';
import type { ModelCall, ModelStage } from './model-call.ts';
import { refused, refuse } from './refuse.ts';
import type { Ruling } from './ruling.ts';

/** A token is about so many characters: what is reserved before anybody has counted. */
const CHARS_PER_TOKEN = 4;
/** Reserved for an answer whose length nobody has bounded. */
const EXPECTED_OUTPUT = 1_024;

/** Counts calls of MCP servers against rate limits, and refuses those there is no room for. */
export function limitsStage(limits: Limits, ruling: () => Ruling): Stage {
  return (call, next) => {
    const { limitRules, facts, countsToolTokens } = ruling();
    if (limitRules.length === 0) return next(call);
    const seen = facts.call(call);
    if (seen === undefined) return refuse('unauthenticated', 'nobody is known to make this call');
    const tokens = countsToolTokens ? tokensOf(call.params['arguments'] ?? {}) : 0;
    return admit(limits, limitRules, seen, tokens, call, next);
  };
}

async function admit(
  limits: Limits,
  rules: Ruling['limitRules'],
  seen: Parameters<Limits['begin']>[1],
  tokens: number,
  call: Call,
  next: Parameters<Stage>[1],
): Promise<Outcome> {
  const admission = await limits.begin(rules, seen, { tokens, cost: 0 });
  if (admission.refused !== undefined) return refused(refusalOf(admission.refused));
  for (const { rule, message } of admission.audited) note(call, { rule, effect: 'audited', message });
  let used = tokens;
  const { ticket } = admission;
  const places: Call['places'] = {
    release: () => ticket.pause(),
    retake: async () => {
      const full = await ticket.resume();
      return full && refusalOf(full);
    },
  };
  try {
    const outcome = await next(ticket.placed ? { ...call, places } : call);
    const said = outcome.ok ? outcome.result : outcome.refusal.upstreamError;
    if (tokens > 0 && said !== undefined) used += tokensOf(said);
    return outcome;
  } finally {
    ticket.end({ tokens: used, cost: 0 });
  }
}

function refusalOf({ kind, message, rule, retryAfterMs }: LimitRefusal): Refusal {
  return { reason: kind, message, rule, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

/**
 * The same for calls of models. What the call is expected to use is reserved before it, and replaced by what its
 * provider reports after it; where that is missing, by what it has said until then, also of what was not let through.
 */
export function modelLimitsStage(limits: Limits, ruling: () => Ruling, prices: Prices): ModelStage {
  return async function* limit(call, next) {
    const { limitRules, facts } = ruling();
    const input = tokensOf([call.messages, call.tools]);
    const output = outputOf(call.parameters);
    const admission = await limits.begin(limitRules, facts.model(call), {
      tokens: input + output,
      cost: await prices.cost(call.model, input, output),
    });
    if (admission.refused !== undefined) throw toModelError(admission.refused);
    for (const { rule, message } of admission.audited) note(call, { rule, effect: 'audited', message });
    try {
      yield* next(call);
    } finally {
      admission.ticket.end(await amountsOf(call, prices, input));
    }
  };
}

async function amountsOf({ facts, model }: ModelCall, prices: Prices, input: number): Promise<Amounts> {
  // A call that its provider refused, or never saw, has cost nothing.
  if (!facts.asked) return { tokens: 0, cost: 0 };
  const inputs = facts.inputTokens ?? input;
  const outputs = facts.outputTokens ?? Math.ceil(facts.said / CHARS_PER_TOKEN);
  facts.cost = await prices.cost(model, inputs, outputs);
  return { tokens: inputs + outputs, cost: facts.cost };
}

function toModelError({ kind, message, rule, retryAfterMs }: LimitRefusal): ModelError {
  const reason = kind === 'budget-exhausted' ? 'budget-exhausted' : 'rate-limited';
  const retryAfter = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000);
  return new ModelError(reason, message, { rule, ...(retryAfter !== undefined && { retryAfter }) });
}

/** The most that any of the bounds allows: which of them a provider heeds is not known. */
function outputOf(parameters: JsonObject): number {
  const asked = [parameters['max_completion_tokens'], parameters['max_tokens']].filter(
    (one) => typeof one === 'number' && one > 0,
  ) as number[];
  return asked.length === 0 ? EXPECTED_OUTPUT : Math.max(...asked);
}

function tokensOf(value: unknown): number {
  return Math.ceil(JSON.stringify(value).length / CHARS_PER_TOKEN);
}
