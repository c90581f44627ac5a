import { parentPort, type MessagePort } from 'node:worker_threads';
import { compilePatterns } from '../access/patterns.ts';
import type { GuardrailConfig } from '../config/policies/guardrails.ts';
import type { JsonObject } from '../contract/json.ts';
import type { TextGuard } from './guard.ts';
import { createLook, type ListedKind, type Look } from './listed.ts';
import { judgeTexts, textGuardOf } from './text-guard.ts';
import type { Answer, Found, Question } from './workers.ts';

/** Guards that are kept; a changed configuration brings new ones. */
const MOST_GUARDS = 200;

if (parentPort !== null) serve(parentPort);

/** Answers what the gateway's thread asks. */
function serve(port: MessagePort): void {
  const guards = new Map<string, TextGuard>();
  let look: Look | undefined;
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
  const answer = (question: Question): Answer => {
    try {
      if ('config' in question) return { judged: judgeTexts(guardOf(question.config), question.texts) };
      const known = (look ??= createLook());
      return { searched: question.texts.map((text) => foundIn(known, question.kind, text)) };
    } catch (error) {
      return { problem: error instanceof Error ? error.message : String(error) };
    }
  };
  port.on('message', (question: Question) => port.postMessage(answer(question)));
}

/** Most things are clean, and nothing is said of them. */
function foundIn(look: Look, kind: ListedKind, text: string): Found {
  const item = JSON.parse(text) as JsonObject;
  const { found, shown } = look(kind, item);
  if (found.length === 0 && shown === item) return null;
  return { found, shown: shown === undefined ? null : JSON.stringify(shown) };
}
