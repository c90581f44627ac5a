import type { ChatMessage } from '../contract/agent.ts';
import { askGuards, guardsFor, type Guard, type GuardNote } from '../guardrails/guard.ts';
import { guardStream, type Said } from '../guardrails/stream.ts';
import { ModelError, type ModelEvent } from '../models/model.ts';
import { note, type Note } from './call.ts';
import type { ModelCall, ModelStage } from './model-call.ts';
import type { Ruling } from './ruling.ts';

type Facts = ReturnType<Ruling['facts']['model']>;

/** An answer that is looked at as a whole is held back up to this many characters. */
const MAX_WHOLE = 1024 * 1024;

/**
 * Shows guardrails what goes to a model and what it says. Texts are looked at while they are said, a window behind;
 * guards that need the whole answer hold it back. What a model wants to call is looked at when it is called.
 */
export function modelGuardrailsStage(ruling: () => Ruling): ModelStage {
  return async function* guarded(call, next) {
    const { guards, facts } = ruling();
    const seen = facts.model(call);
    const before = guardsFor(guards, 'modelInput', seen);
    const after = guardsFor(guards, 'modelOutput', seen);
    const passed = before.length === 0 ? call : await checkInput(call, before, seen);
    if (after.length === 0) {
      yield* next(passed);
      return;
    }
    const tell = (one: GuardNote): void => note(call, one satisfies Note);
    const whole = after.filter(({ onText }) => onText === undefined);
    let said: AsyncIterable<ModelEvent> = next(passed);
    for (const guard of after) {
      const { onText } = guard;
      if (onText !== undefined)
        said = guardStream(
          said as AsyncIterable<Said>,
          guard,
          onText,
          tell,
          block,
        ) as AsyncIterable<ModelEvent>;
    }
    yield* whole.length === 0 ? said : checkWhole(call, said, whole, seen, tell);
  };
}

async function checkInput(call: ModelCall, guards: readonly Guard[], facts: Facts): Promise<ModelCall> {
  const { messages, traceId } = call;
  const asked = await askGuards(guards, { hook: 'modelInput', value: messages, facts, traceId });
  for (const one of asked.notes) note(call, one);
  if (asked.blocked !== undefined)
    throw block(asked.blocked.rule, `the messages did not pass: ${asked.blocked.message}`);
  return asked.value === messages ? call : { ...call, messages: asked.value as ChatMessage[] };
}

async function* checkWhole(
  call: ModelCall,
  said: AsyncIterable<ModelEvent>,
  guards: readonly Guard[],
  facts: Facts,
  tell: (one: GuardNote) => void,
): AsyncIterable<ModelEvent> {
  const rest: ModelEvent[] = [];
  let text = '';
  for await (const event of said) {
    if (event.type === 'text') text += event.text;
    else rest.push(event);
    if (text.length > MAX_WHOLE)
      throw block(
        guards[0]?.name ?? '',
        `the answer is over ${MAX_WHOLE} characters, and cannot be looked at whole`,
      );
  }
  const asked = await askGuards(guards, { hook: 'modelOutput', value: text, facts, traceId: call.traceId });
  asked.notes.forEach(tell);
  if (asked.blocked !== undefined)
    throw block(asked.blocked.rule, `the answer did not pass: ${asked.blocked.message}`);
  if (text !== '') yield { type: 'text', text: String(asked.value) };
  yield* rest;
}

function block(rule: string, message: string): ModelError {
  return new ModelError('blocked', message, { rule });
}
