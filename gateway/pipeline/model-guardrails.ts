import type { ChatMessage } from '../contract/agent.ts';
import { isJsonObject, parseJson } from '../contract/json.ts';
import { askGuards, guardsFor, type Guard, type GuardNote } from '../guardrails/guard.ts';
import { guardStream, type Said } from '../guardrails/stream.ts';
import { ModelError, type ModelEvent } from '../models/model.ts';
import { note, type Note } from './call.ts';
import type { ModelCall, ModelStage } from './model-call.ts';
import type { Ruling } from './ruling.ts';

type Facts = ReturnType<Ruling['facts']['model']>;

/** What is looked at as a whole is held back up to this many characters. */
const MAX_WHOLE = 1024 * 1024;

/**
 * Shows guardrails what goes to a model and what it says. Texts are looked at while they are said, a window behind;
 * guards that need the whole answer hold it back. What it wants to call is held back until all of it is there: whoever
 * reads the answer reads the arguments too, whether or not the call is made.
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
    if (whole.length > 0) said = checkWhole(call, said, whole, seen, tell);
    yield* checkCalls(call, said, after, seen, tell);
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
    if (text.length > MAX_WHOLE) throw tooLong(guards);
  }
  if (text === '') {
    yield* rest;
    return;
  }
  const asked = await askGuards(guards, { hook: 'modelOutput', value: text, facts, traceId: call.traceId });
  asked.notes.forEach(tell);
  if (asked.blocked !== undefined)
    throw block(asked.blocked.rule, `the answer did not pass: ${asked.blocked.message}`);
  yield { type: 'text', text: String(asked.value) };
  yield* rest;
}

/** From the first call on, all is held back until the end, so that no piece of one passes unseen. */
async function* checkCalls(
  call: ModelCall,
  said: AsyncIterable<ModelEvent>,
  guards: readonly Guard[],
  facts: Facts,
  tell: (one: GuardNote) => void,
): AsyncIterable<ModelEvent> {
  const held: ModelEvent[] = [];
  const wanted = new Map<number, { name: string; text: string }>();
  let size = 0;
  for await (const event of said) {
    if (event.type === 'tool-call') wanted.set(event.index, { name: event.name, text: '' });
    else if (event.type === 'tool-arguments') {
      const one = wanted.get(event.index);
      if (one !== undefined) one.text += event.delta;
      size += event.delta.length;
      if (size > MAX_WHOLE) throw tooLong(guards);
    }
    if (wanted.size === 0) yield event;
    else held.push(event);
  }
  const changed = new Map<number, { readonly name: string; readonly arguments: string }>();
  for (const [index, { name, text }] of wanted) {
    const value = { name, arguments: parseJson(text) ?? text };
    const asked = await askGuards(guards, { hook: 'modelOutput', value, facts, traceId: call.traceId });
    asked.notes.forEach(tell);
    if (asked.blocked !== undefined)
      throw block(asked.blocked.rule, `a call that it asked for did not pass: ${asked.blocked.message}`);
    if (asked.value !== value) changed.set(index, toCall(asked.value));
  }
  for (const event of held) {
    const made = 'index' in event ? changed.get(event.index) : undefined;
    if (made === undefined || !('index' in event)) yield event;
    else if (event.type === 'tool-call') {
      yield { ...event, name: made.name };
      yield { type: 'tool-arguments', index: event.index, delta: made.arguments };
    }
  }
}

function toCall(value: unknown): { readonly name: string; readonly arguments: string } {
  const { name, arguments: args } = isJsonObject(value) ? value : {};
  return { name: String(name), arguments: typeof args === 'string' ? args : JSON.stringify(args ?? {}) };
}

function tooLong(guards: readonly Guard[]): ModelError {
  return block(
    guards[0]?.name ?? '',
    `the answer is over ${MAX_WHOLE} characters, and cannot be looked at whole`,
  );
}

function block(rule: string, message: string): ModelError {
  return new ModelError('blocked', message, { rule });
}
