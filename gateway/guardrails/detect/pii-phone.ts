import { digitsOf, type Pattern } from './pattern.ts';

/** Digits with the country's code, where the plan fixes them; other countries have 9 to 15 (E.164). */
const LENGTHS: readonly (readonly [code: string, shortest: number, longest: number])[] = [
  ['1', 11, 11],
  ['7', 11, 11],
  ['20', 11, 12],
  ['27', 11, 11],
  ['31', 11, 11],
  ['32', 10, 11],
  ['33', 11, 11],
  ['34', 11, 11],
  ['39', 10, 13],
  ['41', 11, 11],
  ['43', 9, 15],
  ['44', 11, 12],
  ['45', 10, 10],
  ['46', 9, 12],
  ['47', 10, 10],
  ['48', 11, 11],
  ['49', 9, 14],
  ['52', 12, 13],
  ['55', 12, 13],
  ['61', 11, 11],
  ['65', 10, 10],
  ['81', 11, 12],
  ['82', 10, 12],
  ['86', 11, 13],
  ['90', 12, 12],
  ['91', 12, 12],
];
/** Country codes that are not given out. */
const UNASSIGNED =
  /^(?:0|21[0-79]|28|29[2-6]|38[48]|42[2-9]|69[3-9]|80[1-79]|83|85[1479]|87[1-79]|88[4579]|89|97[8]|99[09])/;
const SEPARATED = '[ .\\-/()\\u00a0]{0,3}\\d';
const LABELS =
  'tel(?:efon|ephone|éfono|efono)?|t[ée]l[ée]phone|phone|mobile?|cell|fax|whatsapp|handy|rufnummer|call(?: me)?(?: at| on)?|ring me(?: at| on)?';

/** Telephone numbers: international ones, national ones as people write them, and any beside a label. */
export function PHONES(): readonly Pattern[] {
  return [
    {
      entity: 'phone',
      pattern: new RegExp(`(?<![\\w+.])\\+[ (]?[1-9](?:${SEPARATED}){6,15}(?![\\w]|[.:-]\\d)`, 'g'),
      check: (match) => isInternational(digitsOf(match.replace('(0)', ''))),
      hints: ['+'],
    },
    {
      entity: 'phone',
      pattern: new RegExp(
        `(?<![\\w+.-])00[1-9]\\d{0,2}[ .\\-/](?:\\(?\\d\\)?${SEPARATED.slice(0, -2)}){6,13}\\d(?![\\w]|[.:-]\\d)`,
        'g',
      ),
      check: (match) => isInternational(digitsOf(match.replace('(0)', '')).slice(2)),
      hints: ['00'],
    },
    {
      // North America; spaces alone would make phones of tables.
      entity: 'phone',
      pattern:
        /(?<![\w.+-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[ .-]\d{4}(?![\w]|[.-]\d)/g,
    },
    {
      // With a trunk zero: Britain, Germany, Austria, Italy, Japan, Australia …
      entity: 'phone',
      pattern: /(?<![\w.+/:-])\(?0[1-9]\d{1,4}\)?(?: ?[/-] ?| )\d{3,8}(?:[ -]\d{2,5}){0,3}(?![\w]|[.:-]\d)/g,
      check: (match) => {
        const { length } = digitsOf(match);
        return length >= 10 && length <= 12;
      },
    },
    {
      // France: five pairs.
      entity: 'phone',
      pattern: /(?<![\w.+/:-])0[1-9]([ .])\d{2}(?:\1\d{2}){3}(?![\w]|[ .:-]\d)/g,
    },
    {
      entity: 'phone',
      pattern: new RegExp(
        `\\b(?:${LABELS})\\b\\.?["']?(?: ?(?:no|number|nr|nummer)\\b\\.?)?["']?[ \\t]{0,3}[:=#]?[ \\t]{0,3}["']?([+(]?\\d(?:${SEPARATED}){6,14})(?![\\w]|[.:-]\\d)`,
        'dgi',
      ),
      group: 1,
      check: (match) => !/^\d{4}-\d\d-\d\d/.test(match),
    },
  ];
}

function isInternational(digits: string): boolean {
  if (digits.length > 15 || UNASSIGNED.test(digits)) return false;
  const plan = LENGTHS.find(([code]) => digits.startsWith(code));
  if (plan === undefined) return digits.length >= 9;
  return digits.length >= plan[1] && digits.length <= plan[2];
}
