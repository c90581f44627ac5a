import type { Applies, PolicyFacts } from '../access/when.ts';
import { isJsonObject, type JsonObject } from '../contract/json.ts';
import type { Hook } from '../config/policies/guardrails.ts';
import type { Detector } from './detect/finding.ts';

/** What a guard is shown. */
export interface Subject {
  readonly hook: Hook;
  /** Arguments, a result, the messages to a model, or the text of its answer; or, with `beside`, what that says. */
  readonly value: unknown;
  readonly facts: PolicyFacts;
  /** Empty where nothing tells which call is meant. */
  readonly traceId: string;
  /**
   * What passes beside arguments and results: the MCP method of what a server says (`toolResult`) or of the question that
   * is answered (`toolArguments`).
   */
  readonly beside?: string;
  /** What of arguments the server would get: with those that overrides fix, or give where the caller leaves them out. */
  readonly sent?: (args: JsonObject) => JsonObject;
}

/** What a rule about arguments is about: as the server would get them. */
export function argumentsOf({ hook, value, sent }: Subject): unknown {
  return hook === 'toolArguments' && isJsonObject(value) && sent !== undefined ? sent(value) : value;
}

/** What a guard says of it. Words never hold what was found. */
export type Verdict =
  | { readonly is: 'pass' }
  | { readonly is: 'block'; readonly words: string }
  | { readonly is: 'change'; readonly value: unknown; readonly words: string };

export const PASS: Verdict = { is: 'pass' };

/** One guardrail, ready to be asked. */
export interface Guard {
  readonly name: string;
  readonly hooks: ReadonlySet<Hook>;
  readonly applies: Applies;
  readonly mode: 'enforce' | 'enforce-but-ignore-errors' | 'audit';
  readonly timeout: number;
  readonly message: string | undefined;
  /** May throw or reject: the mode says what that comes to. */
  readonly check: (subject: Subject) => Verdict | Promise<Verdict>;
  /** It can look at anything that is said, not only at what has the shape of arguments or of a result. */
  readonly anyShape: boolean;
  /** Characters of a result, as JSON, that it takes as a whole. Of a longer one that is cut it is shown the pieces. */
  readonly most: number;
  /** Where it looks at texts one by one, so that a text can be looked at while it is said. */
  readonly onText?: TextGuard;
}

export interface TextGuard {
  readonly detect: Detector;
  /** The text in place of what was found; undefined when it refuses. */
  readonly replace: ((found: string, entity: string) => string) | undefined;
  /** Numbers of a value, from so many characters on, are looked at as they are written. */
  readonly numbers: number;
  /** Whether what a member of this name holds is looked at together with the name. */
  readonly named?: (name: string) => boolean;
  /** How far before a finding something may stand that makes it one, where that is more than a few words. */
  readonly context?: number;
  /** Of a conversation it looks at what tools have answered alone: people and systems instruct a model rightly. */
  readonly onlyTools?: boolean;
}

/** What a guard noted of what passed. */
export interface GuardNote {
  readonly rule: string;
  readonly effect: 'audited' | 'changed' | 'failed';
  readonly message: string;
}

/** What all guards together come to. */
export type Ruled =
  | {
      readonly blocked: { readonly rule: string; readonly message: string };
      readonly notes: readonly GuardNote[];
    }
  | { readonly blocked?: undefined; readonly value: unknown; readonly notes: readonly GuardNote[] };

/** The guards of a hook that are about a call, the first to be asked first. */
export function guardsFor(guards: readonly Guard[], hook: Hook, facts: PolicyFacts): readonly Guard[] {
  return guards.filter((guard) => guard.hooks.has(hook) && guard.applies(facts));
}

/** Those that can look at what passes beside arguments and results, and has the shape of neither. */
export function guardsBeside(guards: readonly Guard[]): readonly Guard[] {
  return guards.filter(({ anyShape }) => anyShape);
}

/** Asks guards one after another; each sees what the one before made of it. */
export async function askGuards(guards: readonly Guard[], subject: Subject): Promise<Ruled> {
  const notes: GuardNote[] = [];
  let { value } = subject;
  for (const guard of guards) {
    const verdict = await verdictOf(guard, { ...subject, value }, notes);
    if (verdict.is === 'pass') continue;
    if (guard.mode === 'audit') {
      notes.push({ rule: guard.name, effect: 'audited', message: verdict.words });
    } else if (verdict.is === 'block') {
      return { blocked: { rule: guard.name, message: guard.message ?? verdict.words }, notes };
    } else {
      ({ value } = verdict);
      notes.push({ rule: guard.name, effect: 'changed', message: verdict.words });
    }
  }
  return { value, notes };
}

async function verdictOf(guard: Guard, subject: Subject, notes: GuardNote[]): Promise<Verdict> {
  try {
    const answer = guard.check(subject);
    return answer instanceof Promise ? await inTime(answer, guard.timeout) : answer;
  } catch (error) {
    const words = `the guardrail ${guard.name} could not be asked (${error instanceof Error ? error.message : String(error)})`;
    if (guard.mode === 'enforce') return { is: 'block', words };
    notes.push({ rule: guard.name, effect: 'failed', message: words });
    return PASS;
  }
}

async function inTime(answer: Promise<Verdict>, ms: number): Promise<Verdict> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
