import { conditionFacts } from '../access/when.ts';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import type { GuardrailPolicy } from '../access/policies.ts';
import { isJsonObject } from '../contract/json.ts';
import { argumentsOf, PASS, type Guard, type Subject, type Verdict } from './guard.ts';
import { askModeration, MODERATED_CHARS } from './moderation.ts';
import type { Outside } from './outside.ts';
import { createSqlGuard } from './sql-guard.ts';
import { checkTexts, textGuardOf } from './text-guard.ts';
import { askWebhook, WEBHOOK_CHARS } from './webhook.ts';
import type { TextWorkers } from './workers.ts';

/** What guards need of the rest of the gateway. */
export interface GuardDeps extends Outside {
  /** Undefined when a value fits a JSON Schema, else what is wrong. */
  readonly fits: (schema: unknown, value: unknown) => string | undefined;
  readonly workers: TextWorkers;
}

export function compileGuards(policies: readonly GuardrailPolicy[], deps: GuardDeps): Guard[] {
  return policies.map((compiled) => {
    const { policy, applies } = compiled;
    const { name, mode, timeout, message } = policy;
    const onText = textGuardOf(policy, compiled.patterns);
    return {
      ...{ name, mode, timeout, message, applies },
      hooks: new Set(policy.hooks),
      check:
        onText === undefined
          ? checkOf(compiled, deps)
          : (subject) =>
              checkTexts(onText, name, subject, (texts) => deps.workers.judge(policy, texts, timeout)),
      anyShape: onText !== undefined || asksService(policy),
      most: mostOf(policy),
      ...(onText !== undefined && { onText }),
    };
  });
}

/** A service of one's own knows what it is shown by its context. */
function asksService({ kind }: GuardrailConfig): boolean {
  return kind === 'webhook' || kind === 'moderation';
}

function mostOf({ kind }: GuardrailConfig): number {
  if (kind === 'webhook') return WEBHOOK_CHARS;
  return kind === 'moderation' ? MODERATED_CHARS : Infinity;
}

function checkOf({ policy, denies }: GuardrailPolicy, deps: GuardDeps): Guard['check'] {
  switch (policy.kind) {
    case 'cel':
      return (subject) => {
        const given = argumentsOf(subject);
        const args = isJsonObject(given) ? given : {};
        const answer = denies?.(conditionFacts({ ...subject.facts, args })) ?? { is: 'true' };
        if (answer.is === 'broken') throw new Error(answer.why);
        return answer.is === 'false' ? PASS : block(`${policy.name} does not allow these arguments`);
      };
    case 'schema':
      return (subject) => {
        const problem = deps.fits(policy.schema, shaped(subject));
        return problem === undefined ? PASS : block(`${policy.name}: ${problem}`);
      };
    case 'metadata':
      return ({ facts }) => {
        const missing = policy.keys.filter((key) => (facts.metadata[key] ?? '') === '');
        if (missing.length === 0) return PASS;
        return block(`${policy.name}: send ${missing.join(', ')} as x-toolgate-metadata, a JSON object`);
      };
    case 'sql':
      return createSqlGuard(policy);
    case 'webhook':
      return (subject) => askWebhook(policy, subject, deps);
    case 'moderation':
      return (subject) => askModeration(policy, subject, deps);
    default:
      throw new Error(`${policy.kind} looks at texts`);
  }
}

/** What a schema is about: arguments as they are sent, of a result its structured content. */
function shaped(subject: Subject): unknown {
  const { hook, value } = subject;
  return hook === 'toolResult' && isJsonObject(value) ? value['structuredContent'] : argumentsOf(subject);
}

function block(words: string): Verdict {
  return { is: 'block', words };
}
