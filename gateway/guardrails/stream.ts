import type { Guard, GuardNote, TextGuard } from './guard.ts';
import { inWords, replaceFound } from './text-guard.ts';

/** A piece of text, or anything else that a model says. */
export type Said = { readonly type: 'text'; readonly text: string } | { readonly type: string };

/** What is looked for may stand across pieces: so much is held back until more has come. */
const WINDOW = 512;
/** What was let go of before, so that a boundary is known for one. */
const CONTEXT = 64;

/**
 * Looks at a text while it is said, and holds back a window of it. What comes out is what would come out of the whole
 * text, as long as nothing that is found is longer than the window. `block` makes the error that ends it.
 */
export async function* guardStream(
  said: AsyncIterable<Said>,
  guard: Pick<Guard, 'name' | 'mode' | 'message'>,
  { detect, replace, context: reach = CONTEXT }: Pick<TextGuard, 'detect' | 'replace' | 'context'>,
  tell: (note: GuardNote) => void,
  block: (rule: string, message: string) => Error,
): AsyncIterable<Said> {
  let context = '';
  let held = '';
  /** What is found may be long and not over yet: it is looked at again when there is a quarter more of it. */
  let again = 0;
  let told = false;
  const note = (effect: GuardNote['effect'], words: string): void => {
    if (!told) tell({ rule: guard.name, effect, message: words });
    told = true;
  };
  /** The part of what is held that can be let go of, guarded. */
  const release = (last: boolean): string => {
    const whole = context + held;
    const from = context.length;
    const found = detect(whole).filter(({ end }) => end > from);
    let until = last ? whole.length : Math.max(from, whole.length - WINDOW);
    for (const { start, end } of found) if (start < until && end > until) until = Math.max(from, start);
    // What began in what was let go of is no less to be refused, and the rest of it to be replaced.
    const due = found
      .filter(({ end }) => end <= until)
      .map((one) => ({ ...one, start: Math.max(one.start, from) }));
    if (due.length > 0 && guard.mode === 'audit') note('audited', `${guard.name} found ${inWords(due)}`);
    else if (due.length > 0 && replace === undefined)
      throw block(
        guard.name,
        `the answer did not pass: ${guard.message ?? `${guard.name} found ${inWords(due)}`}`,
      );
    let out = whole.slice(from, until);
    if (due.length > 0 && guard.mode !== 'audit' && replace !== undefined) {
      note('changed', `${guard.name} replaced ${inWords(due)}`);
      const within = due.map((one) => ({ ...one, start: one.start - from, end: one.end - from }));
      out = replaceFound(out, within, replace);
    }
    context = whole.slice(Math.max(0, until - reach), until);
    held = whole.slice(until);
    again = held.length > 4 * WINDOW ? held.length * 1.25 : 0;
    return out;
  };
  for await (const event of said) {
    if (event.type === 'text' && 'text' in event) {
      held += event.text;
      if (held.length < again) continue;
      const out = release(false);
      if (out !== '') yield { type: 'text', text: out };
      continue;
    }
    const out = release(true);
    if (out !== '') yield { type: 'text', text: out };
    yield event;
  }
  const out = release(true);
  if (out !== '') yield { type: 'text', text: out };
}
