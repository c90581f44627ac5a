/** One request inside a message. Quoted text and JSON are kept apart, so that no rule looks inside them. */
export interface Clause {
  /** The words, a literal standing as `\uE000<number>\uE001`. */
  readonly text: string;
  /** A piece of the words with its literals put back, quotes left out. */
  restore(text: string): string;
}

const VERBS =
  'add|subtract|multiply|divide|sum|calculate|compute|list|show|read|open|echo|repeat|say|remember|recall|call|use|run|invoke|what|tell';
const BOUNDARY = new RegExp(
  [
    String.raw`[.;!?](?=\s|$)`,
    String.raw`\n+`,
    String.raw`,?\s+(?:and\s+)?then\s+`,
    String.raw`,?\s+and\s+(?:also\s+)?(?=(?:${VERBS})\b)`,
    String.raw`,?\s+also\s+(?=(?:${VERBS})\b)`,
    String.raw`,\s*(?=(?:${VERBS})\b)`,
  ].join('|'),
  'i',
);
const QUOTED = /"([^"]*)"|“([^”]*)”|`([^`]*)`|(?<=^|\s)'([^']*)'(?=$|[\s,.;!?])/g;

/** Splits a message into its requests: at the ends of sentences, at `then`, and at `and` before a verb. */
export function splitClauses(message: string): Clause[] {
  const literals: string[] = [];
  const keep = (value: string): string => `\uE000${literals.push(value) - 1}\uE001`;
  const restore = (text: string): string =>
    text.replace(/\uE000(\d+)\uE001/g, (_, index) => literals[Number(index)] ?? '');
  const kept = keepObjects(message.replace(/[\uE000\uE001]/g, ' '), keep).replace(QUOTED, (...match) => {
    const [, double, curly, tick, single] = match as (string | undefined)[];
    return keep(double ?? curly ?? tick ?? single ?? '');
  });
  return kept
    .split(BOUNDARY)
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => ({ text, restore }));
}

/** Puts every balanced `{…}` that is JSON aside. */
function keepObjects(text: string, keep: (value: string) => string): string {
  const start = text.indexOf('{');
  if (start < 0) return text;
  for (let end = text.indexOf('}', start); end >= 0; end = text.indexOf('}', end + 1)) {
    const candidate = text.slice(start, end + 1);
    if (isJson(candidate))
      return text.slice(0, start) + keep(candidate) + keepObjects(text.slice(end + 1), keep);
  }
  return text;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
