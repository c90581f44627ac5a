import { parentPort, type MessagePort } from 'node:worker_threads';
import { compilePatterns } from '../access/patterns.ts';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import type { TextGuard } from './guard.ts';
import { judgeTexts, textGuardOf } from './text-guard.ts';
import type { Answer, Question } from './workers.ts';

/** Guards that are kept; a changed configuration brings new ones. */
const MOST_GUARDS = 200;

if (parentPort !== null) serve(parentPort);

/** Answers what the gateway's thread asks. */
function serve(port: MessagePort): void {
  const guards = new Map<string, TextGuard>();
  const guardOf = (config: GuardrailConfig): TextGuard => {
    const key = JSON.stringify(config);
    const known = guards.get(key);
    if (known !== undefined) return known;
    const guard = textGuardOf(config, config.kind === 'regex' ? compilePatterns(config.patterns) : []);
    if (guard === undefined) throw new Error(`${config.kind} does not look at texts`);
    if (guards.size >= MOST_GUARDS) guards.clear();
    guards.set(key, guard);
    return guard;
  };
  const answer = ({ config, texts }: Question): Answer => {
    try {
      return { judged: judgeTexts(guardOf(config), texts) };
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) };
    }
  };
  port.on('message', (question: Question) => port.postMessage(answer(question)));
}
