import { canonicalJson, type JsonObject } from './json.ts';
import type { PinChange, PinKind } from './pins.ts';

const HEADINGS: Readonly<Record<string, string>> = {
  name: 'Name',
  title: 'Title',
  description: 'Description',
  inputSchema: 'Input schema',
  outputSchema: 'Output schema',
  annotations: 'Annotations',
  arguments: 'Arguments',
  text: 'Instructions',
};

/**
 * A definition as text for people to compare: a section for each field, its content indented, so that no content can
 * pass for a heading, and every character that one would not see written out. Empty where there is no definition;
 * words of ours where it was too large to be kept (null).
 */
export function definitionText(content: JsonObject | null | undefined): string {
  if (content === undefined) return '';
  if (content === null) return 'This definition is too large to be kept: only its hash is known.\n';
  return Object.entries(HEADINGS)
    .filter(([field]) => content[field] !== undefined)
    .map(([field, heading]) => `# ${heading}\n${indented(textOf(content[field]))}\n`)
    .join('\n');
}

/** What a change is of, in words. */
export function changeTitle({ kind, name }: { readonly kind: PinKind; readonly name: string }): string {
  return kind === 'instructions' ? 'instructions' : `${kind} ${visible(name)}`;
}

/** What happened, in words. */
export function changeWords({ change, state, found }: Pick<PinChange, 'change' | 'state' | 'found'>): string {
  const words = { new: 'new', changed: 'changed', returned: 'removed before, and back different' } as const;
  return [
    words[change],
    ...(state === 'rejected' ? ['rejected'] : []),
    ...(found.length > 0 ? [`looks like prompt injection: ${found.join(', ')}`] : []),
  ].join(', ');
}

/** Text in which control characters, invisible ones and odd spaces are written as `\u{…}`; line breaks and tabs stay. */
export function visible(text: string): string {
  return text.replace(
    /[^\P{Cc}\n\t]|[\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|[^\P{Zs} ]|\u2800/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

function textOf(value: unknown): string {
  return visible(typeof value === 'string' ? value : canonicalJson(value, 2));
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n');
}
