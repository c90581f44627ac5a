import { merge, NOTHING, type Detector, type Finding } from './finding.ts';
import { hiddenWords } from './hidden-text.ts';
import { decodedIn } from './injection-encoded.ts';
import { MARKERS, UNSPACED_MARKERS, type Marker } from './injection-markers.ts';
import {
  COMMON,
  ENOUGH,
  ENOUGH_COMMON,
  WORD_RULES,
  type InjectionKind,
  type WordRule,
} from './injection-rules.ts';
import { BREAK, eachWord, MARK } from './injection-tokens.ts';
import { PAIRS, wordsOf } from './injection-words.ts';

/** Something that speaks for an injection, on its own or with others. */
interface Signal extends Finding {
  readonly entity: InjectionKind;
  readonly weight: number;
  /** Which rule it is of: one rule counts once. */
  readonly rule: string;
}

/** A place before all others: no gap reaches as far. */
const NOWHERE = -1_000_000;
/** Signals count together within so many characters. */
const NEAR = 360;
/** How far before a finding something may stand that makes it one. */
export const INJECTION_REACH = 512;
/** What is found ends with its sentence, when that ends within so many characters more. */
const REST = 160;
const UNSPACED = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/;
/** What a text says before it quotes an attack, and does not make one. */
const MENTIONS =
  /\b(?:phrases?|words?|sentences?|strings?|such as|like|called|known as|e\.g\.|for example|for instance|says?|wrote|writes|text)\b[^\n]{0,16}$/i;
const QUOTED = /["'“”‘«`]\s?$/;
/** Somebody tells what others do: `asks the model to ignore …`. */
const NARRATED = /\b(?:(?!you\b|need\b|want\b|have\b|required\b|asked\b|supposed\b|going\b)\w+) to $/i;

/**
 * Finds text that wants to instruct the model that reads it: by rules over words of several languages, forms that
 * belong to a conversation, and both in what is encoded or disguised. One clear sign is enough, or several weaker ones
 * close together; a text that only speaks of such things has none.
 */
export function createInjectionDetector(): Detector {
  const lookAt = createLook();
  return (text) => {
    const found = lookAt(text);
    const encoded = [
      ...decodedIn(text),
      ...hiddenWords(text).map(({ start, end, words }) => ({ text: words, at: () => ({ start, end }) })),
    ].flatMap(({ text: decoded, at }) =>
      lookAt(decoded).map((one): Finding => ({ ...at(one.start, one.end), entity: 'encoded' })),
    );
    return encoded.length === 0 ? found : merge(found, encoded);
  };
}

function createLook(): Detector {
  const match = compileWordRules();
  const markers = MARKERS();
  const unspaced = UNSPACED_MARKERS();
  return (text) => {
    const signals: Signal[] = [];
    match(text, signals);
    addMarkers(signals, text, markers);
    if (UNSPACED.test(text)) addMarkers(signals, text, unspaced);
    return signals.length === 0 ? NOTHING : weigh(text, signals);
  };
}

interface Step {
  readonly rule: number;
  readonly step: number;
}

/**
 * The rules as one machine: for each rule and step it remembers the last place where the rule had come so far, so that
 * a text takes time linear in its words.
 */
function compileWordRules(): (text: string, signals: Signal[]) => void {
  const steps = new Map<string, Step[]>();
  const gaps: number[][] = [];
  WORD_RULES.forEach(({ steps: written }, rule) => {
    const parts = written.split(' ');
    gaps.push(parts.filter((_part, at) => at % 2 === 1).map(Number));
    parts
      .filter((_part, at) => at % 2 === 0)
      .forEach((name, step) => {
        for (const word of new Set(wordsOf(name))) {
          const known = steps.get(word);
          // The last step first: a word is never two steps of one rule.
          if (known === undefined) steps.set(word, [{ rule, step }]);
          else known.unshift({ rule, step });
        }
      });
  });
  const negations = new Set(wordsOf('NOT'));
  const known = (word: string): boolean => steps.has(word) || pairWords.has(word);
  const pairWords = new Set([...PAIRS.keys()].flatMap((pair) => pair.split(' ')));

  const places = gaps.map((each) => new Array<number>(each.length + 1).fill(NOWHERE));
  const starts = gaps.map((each) => new Array<number>(each.length + 1).fill(0));
  // Most texts are short, and reach a step of hardly any rule.
  const begun = new Set<number>();

  return (text, signals) => {
    for (const rule of begun) places[rule]?.fill(NOWHERE);
    begun.clear();
    let place = 0;
    let negated = NOWHERE;
    let before = '';
    const take = (word: string, start: number, end: number): void => {
      for (const { rule, step } of steps.get(word) ?? []) {
        const [reached, began, gap] = [places[rule], starts[rule], gaps[rule]];
        const given = WORD_RULES[rule];
        if (reached === undefined || began === undefined || gap === undefined || given === undefined)
          continue;
        if (step === 0) {
          if (given.unlessNot === true && place - negated <= 3) continue;
          began[0] = start;
        } else {
          if (place - (reached[step - 1] ?? 0) > (gap[step - 1] ?? 0) + 1 || reached[step - 1] === place)
            continue;
          began[step] = began[step - 1] ?? start;
        }
        reached[step] = place;
        begun.add(rule);
        if (step === gap.length) {
          const from = began[step] ?? start;
          const { entity } = given;
          signals.push({ start: from, end, entity, ...weighed(text, from, given, rule) });
        }
      }
    };
    eachWord(text, known, (word, start, end) => {
      if (word === BREAK) {
        place += 1_000;
        before = '';
        return;
      }
      place++;
      take(word, start, end);
      const pair = PAIRS.get(`${before} ${word}`);
      if (pair !== undefined) take(pair, start, end);
      if (negations.has(word)) negated = place;
      before = word;
    });
  };
}

/** How much a rule's match weighs. What the text only tells of weighs little, however many rules it meets. */
function weighed(
  text: string,
  start: number,
  { entity, weight }: WordRule,
  rule: number,
): Pick<Signal, 'weight' | 'rule'> {
  const plain = { weight, rule: `words ${rule}` };
  if (entity !== 'override' && entity !== 'jailbreak') return plain;
  const before = text.slice(Math.max(0, start - 48), start);
  const quoted = QUOTED.test(before) && MENTIONS.test(before.replace(QUOTED, ''));
  return quoted || NARRATED.test(before) ? { weight: Math.min(weight, 2), rule: 'told' } : plain;
}

function addMarkers(signals: Signal[], text: string, markers: readonly Marker[]): void {
  markers.forEach(({ entity, weight, pattern, hints, check }, index) => {
    if (hints.length > 0 && !hints.some((hint) => text.includes(hint))) return;
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      if (match[0] === '') pattern.lastIndex++;
      else if (check === undefined || check(match[0])) {
        const start = match.index;
        signals.push({
          start,
          end: start + match[0].length,
          entity,
          weight,
          rule: `${entity} ${pattern.source.length} ${index}`,
        });
      }
    }
  });
}

/** The signals that weigh enough, alone or with those near them; each to the end of its sentence. */
function weigh(text: string, signals: readonly Signal[]): readonly Finding[] {
  const sorted = signals.toSorted((a, b) => a.start - b.start || b.end - a.end);
  const counted = new Set<Signal>();
  const near = createSum();
  let first = 0;
  let mark = -1;
  let nextMark = text.indexOf(MARK);
  sorted.forEach((signal, at) => {
    near.add(signal);
    for (; nextMark !== -1 && nextMark < signal.start; nextMark = text.indexOf(MARK, mark + 1))
      mark = nextMark;
    const from = Math.max(mark, signal.start - NEAR);
    for (; (sorted[first]?.start ?? from) < from; first++) near.remove(sorted[first]);
    if (!near.isEnough()) return;
    for (let one = at; one >= first; one--) {
      const each = sorted[one];
      if (each === undefined || counted.has(each)) break;
      counted.add(each);
    }
  });
  if (counted.size === 0) return NOTHING;
  return merge(Array.from(counted, ({ start, end, entity }) => ({ start, end: restOf(text, end), entity })));
}

interface Sum {
  add(one: Signal): void;
  remove(one: Signal | undefined): void;
  isEnough(): boolean;
}

/** What signals weigh together; what is found by one rule several times counts once. */
function createSum(): Sum {
  const times = new Map<string, number>();
  const kinds = new Map<InjectionKind, number>();
  let sum = 0;
  let clear = 0;
  const count = ({ entity, weight }: Signal, by: 1 | -1): void => {
    sum += by * weight;
    if (weight >= ENOUGH) clear += by;
    const left = (kinds.get(entity) ?? 0) + by;
    if (left === 0) kinds.delete(entity);
    else kinds.set(entity, left);
  };
  return {
    add: (one) => {
      const before = times.get(one.rule) ?? 0;
      times.set(one.rule, before + 1);
      if (before === 0) count(one, 1);
    },
    remove: (one) => {
      if (one === undefined) return;
      const left = (times.get(one.rule) ?? 1) - 1;
      if (left > 0) times.set(one.rule, left);
      else if (times.delete(one.rule)) count(one, -1);
    },
    isEnough: () => {
      if (sum < ENOUGH || clear > 0) return clear > 0;
      if (![...kinds.keys()].every((kind) => COMMON.has(kind))) return true;
      return sum >= (kinds.size > 1 ? ENOUGH_COMMON.several : ENOUGH_COMMON.one);
    },
  };
}

/** Where the sentence ends that goes on at `end`; what holds the sentence stays as it is. */
function restOf(text: string, end: number): number {
  const rest = text.slice(end, end + REST);
  const stop = /[.!?](?=\s|$|["'])|[\n"<>{}[\]|\\`]|[。!?]/.exec(rest);
  return end + (stop?.index ?? rest.length);
}
