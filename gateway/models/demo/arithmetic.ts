export type Operator = '+' | '-' | '*' | '/';

/** A calculation as it was asked for. `previous` stands for the result of the calculation before it. */
export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'previous' }
  | {
      readonly kind: 'operation';
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
    };

const NUMBER_WORDS = 'zero one two three four five six seven eight nine ten eleven twelve'.split(' ');
const OPERAND = String.raw`(?:-?\d+(?:\.\d+)?|@)`;
const LIST = String.raw`${OPERAND}(?:(?:\s*,\s*|\s+)(?:(?:and|to|by|with|from)\s+)?${OPERAND})*`;
const SEPARATOR = /\s*,\s*(?:(?:and|to|by|with|from)\s+)?|\s+(?:and|to|by|with|from)\s+|\s+/;
/** Verbs and nouns that come before their operands. `@` alone is the previous result. */
const FORMS: readonly { readonly pattern: RegExp; readonly operator: Operator; readonly reversed?: true }[] =
  [
    {
      pattern: form(String.raw`subtract|take`, String.raw`${OPERAND}\s+from\s+${OPERAND}`),
      operator: '-',
      reversed: true,
    },
    { pattern: form('add|sum(?:\\s+up)?|(?:the\\s+)?sum\\s+of|total\\s+of'), operator: '+' },
    { pattern: form('subtract|difference\\s+(?:of|between)'), operator: '-' },
    { pattern: form('multiply(?:\\s+by)?|product\\s+of'), operator: '*' },
    { pattern: form('divide(?:\\s+by)?|quotient\\s+of'), operator: '/' },
  ];

function form(words: string, operands = LIST): RegExp {
  return new RegExp(String.raw`\b(?:${words})\s+(?<operands>${operands})`, 'i');
}

/**
 * The calculation in some words: `2 + 3`, `(2 + 3) * 4`, `add 2, 3 and 4`, `subtract 2 from 9`, `multiply the
 * result by 4`. Undefined when there is none, or when it is longer than 40 operations.
 */
export function parseArithmetic(text: string): Expression | undefined {
  const plain = infix(normalise(text));
  for (const [run] of plain.matchAll(/[-(@\d][\d.@+\-*/()\s]*[\d)@]/g)) {
    if (/\d{4}-\d{2}-\d{2}/.test(run)) continue;
    const expression = parse(run);
    if (expression?.kind === 'operation') return expression;
  }
  return undefined;
}

/** The calculation in mathematical notation, with `known` for the previous result. */
export function formatExpression(
  expression: Expression,
  known?: number,
  parent?: Operator,
  right = false,
): string {
  if (expression.kind === 'number') return String(expression.value);
  if (expression.kind === 'previous') return known === undefined ? 'the result' : String(known);
  const { operator } = expression;
  const text = `${formatExpression(expression.left, known, operator)} ${operator} ${formatExpression(expression.right, known, operator, true)}`;
  const tighter =
    parent !== undefined && (rank(operator) < rank(parent) || (right && rank(operator) === rank(parent)));
  return tighter ? `(${text})` : text;
}

export function usesPrevious(expression: Expression): boolean {
  if (expression.kind !== 'operation') return expression.kind === 'previous';
  return usesPrevious(expression.left) || usesPrevious(expression.right);
}

function normalise(text: string): string {
  return text
    .toLowerCase()
    .replace(/(?<=\d),(?=\d{3}\b)/g, '')
    .replace(new RegExp(String.raw`\b(${NUMBER_WORDS.join('|')})\b`, 'g'), (word) =>
      String(NUMBER_WORDS.indexOf(word)),
    )
    .replace(
      /\b(?:it|that|(?:the|this|that)\s+(?:result|sum|product|answer|total|difference))\b(?!\s+(?:of|between)\b)/g,
      '@',
    )
    .replace(/(?<=[\d)@])\s*(?:x|×|·|times|multiplied\s+by)\s*(?=[-\d(@])/g, ' * ')
    .replace(/\s*(?:÷|\bdivided\s+by\b)\s*/g, ' / ')
    .replace(/\s*\bplus\b\s*/g, ' + ')
    .replace(/\s*(?:−|\bminus\b)\s*/g, ' - ')
    .replace(/^(?:times|multiply\s+by)\s+/, '@ * ')
    .replace(/^\s*([+*/])\s*(?=[\d(@])/, '@ $1 ');
}

function infix(text: string): string {
  for (const { pattern, operator, reversed } of FORMS) {
    const match = pattern.exec(text);
    const operands = match?.groups?.['operands']?.trim().split(SEPARATOR);
    if (!match || !operands) continue;
    if (operands.length === 1) operands.unshift('@');
    if (reversed) operands.reverse();
    return `${text.slice(0, match.index)} ${operands.join(` ${operator} `)} ${text.slice(match.index + match[0].length)}`;
  }
  return text;
}

function rank(operator: Operator): number {
  return operator === '+' || operator === '-' ? 1 : 2;
}

const MAX_OPERATIONS = 40;

/** Recursive descent over `+ - * / ( )`; undefined for anything else. */
function parse(text: string): Expression | undefined {
  const tokens = text.match(/\d+(?:\.\d+)?|[-+*/()@]/g) ?? [];
  let at = 0;
  let operations = 0;

  function chain(operators: string, operand: () => Expression | undefined): Expression | undefined {
    let left = operand();
    while (left && operators.includes(tokens[at] ?? ' ')) {
      const operator = tokens[at++] as Operator;
      const right = operand();
      if (!right || ++operations > MAX_OPERATIONS) return undefined;
      left = { kind: 'operation', operator, left, right };
    }
    return left;
  }
  const sum = (): Expression | undefined => chain('+-', product);
  const product = (): Expression | undefined => chain('*/', factor);
  function factor(): Expression | undefined {
    const token = tokens[at++];
    if (token === '@') return { kind: 'previous' };
    if (token === '(') {
      const inner = sum();
      return tokens[at++] === ')' ? inner : undefined;
    }
    if (token === '-') {
      const inner = factor();
      return inner?.kind === 'number' ? { kind: 'number', value: -inner.value } : undefined;
    }
    return token !== undefined && /^\d/.test(token) ? { kind: 'number', value: Number(token) } : undefined;
  }
  const whole = sum();
  return at === tokens.length ? whole : undefined;
}
