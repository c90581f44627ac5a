import type { ChatMessage } from '../contract/agent.ts';
import { isJsonObject, parseJson } from '../contract/json.ts';
import { askGuards, guardsFor, type Guard, type Subject } from '../guardrails/guard.ts';
import { guardStream, type Said } from '../guardrails/stream.ts';
import { ModelError, type ModelEvent } from '../models/model.ts';
import { note } from './call.ts';
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
    const whole = after.filter(({ onText }) => onText === undefined);
    let said: AsyncIterable<ModelEvent> = next(passed);
    for (const guard of after) {
      const { onText } = guard;
      if (onText !== undefined)
        said = guardStream(
          said as AsyncIterable<Said>,
          guard,
          onText,
          (one) => note(call, one),
          block,
        ) as AsyncIterable<ModelEvent>;
    }
    if (whole.length > 0) said = checkWhole(call, said, whole, seen);
    yield* checkCalls(call, said, after, seen);
  };
}

/** Shows a value to guards; throws where one of them refuses it. `what` is said of it then. */
async function examine(
  call: ModelCall,
  guards: readonly Guard[],
  subject: Pick<Subject, 'hook' | 'value' | 'facts'>,
  what: string,
): Promise<unknown> {
  const asked = await askGuards(guards, { ...subject, traceId: call.traceId });
  for (const one of asked.notes) note(call, one);
  if (asked.blocked !== undefined)
    throw block(asked.blocked.rule, `${what} did not pass: ${asked.blocked.message}`);
  return asked.value;
}

async function checkInput(call: ModelCall, guards: readonly Guard[], facts: Facts): Promise<ModelCall> {
  const { messages: value } = call;
  const passed = await examine(call, guards, { hook: 'modelInput', value, facts }, 'the messages');
  return passed === value ? call : { ...call, messages: passed as ChatMessage[] };
}

async function* checkWhole(
  call: ModelCall,
  said: AsyncIterable<ModelEvent>,
  guards: readonly Guard[],
  facts: Facts,
): AsyncIterable<ModelEvent> {
  const rest: ModelEvent[] = [];
  let value = '';
  for await (const event of said) {
    if (event.type === 'text') value += event.text;
    else rest.push(event);
    if (value.length > MAX_WHOLE) throw tooLong(guards);
  }
  if (value !== '') {
    const passed = await examine(call, guards, { hook: 'modelOutput', value, facts }, 'the answer');
    yield { type: 'text', text: String(passed) };
  }
  yield* rest;
}

/** From the first call on, all is held back until the end, so that no piece of one passes unseen. */
async function* checkCalls(
  call: ModelCall,
  said: AsyncIterable<ModelEvent>,
  guards: readonly Guard[],
  facts: Facts,
): AsyncIterable<ModelEvent> {
  const held: ModelEvent[] = [];
  const wanted = new Map<number, { name: string; text: string }>();
  let size = 0;
  for await (const event of said) {
    if ('index' in event) {
      const one = wanted.get(event.index) ?? { name: '', text: '' };
      wanted.set(event.index, one);
      if (event.type === 'tool-call') one.name += event.name;
      else one.text += event.delta;
      size += event.type === 'tool-call' ? event.name.length : event.delta.length;
      if (size > MAX_WHOLE) throw tooLong(guards);
    }
    if (wanted.size === 0) yield event;
    else held.push(event);
  }
  const changed = new Map<number, { readonly name: string; readonly arguments: string }>();
  for (const [index, { name, text }] of wanted) {
    const value = { name, arguments: parseJson(text) ?? text };
    const what = 'a call that it asked for';
    const passed = await examine(call, guards, { hook: 'modelOutput', value, facts }, what);
    if (passed !== value) changed.set(index, toCall(passed));
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
