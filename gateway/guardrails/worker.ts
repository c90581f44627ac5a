import { parentPort } from 'node:worker_threads';
import { compilePatterns } from '../access/patterns.ts';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import type { TextGuard } from './guard.ts';
import { judgeTexts, textGuardOf } from './text-guard.ts';
import type { Answer, Question } from './workers.ts';

/** Guards that were asked before; a changed configuration brings new ones. */
const MOST_GUARDS = 200;
const guards = new Map<string, TextGuard>();

parentPort?.on('message', ({ config, texts }: Question) => {
  parentPort?.postMessage(answer(config, texts));
});

function answer(config: GuardrailConfig, texts: readonly string[]): Answer {
  try {
    return { judged: judgeTexts(guardOf(config), texts) };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

function guardOf(config: GuardrailConfig): TextGuard {
  const key = JSON.stringify(config);
  const known = guards.get(key);
  if (known !== undefined) return known;
  const guard = textGuardOf(config, config.kind === 'regex' ? compilePatterns(config.patterns) : []);
  if (guard === undefined) throw new Error(`${config.kind} does not look at texts`);
  if (guards.size >= MOST_GUARDS) guards.clear();
  guards.set(key, guard);
  return guard;
}
