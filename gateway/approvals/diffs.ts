import { isJsonObject } from '../contract/json.ts';

/** A text beyond this is shown as an argument alone. */
const MAX_CHARS = 512 * 1024;
const MAX_DIFFS = 20;
const HUNK = /^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@/m;

/** The arguments that hold a unified diff, by their paths: what a change would do is read best as one. */
export function diffsIn(args: unknown): { readonly argument: string; readonly text: string }[] {
  const found: { argument: string; text: string }[] = [];
  const visit = (value: unknown, path: string): void => {
    if (found.length >= MAX_DIFFS) return;
    if (typeof value === 'string') {
      if (value.length <= MAX_CHARS && HUNK.test(value)) found.push({ argument: path, text: value });
    } else if (Array.isArray(value)) value.forEach((one, index) => visit(one, `${path}[${index}]`));
    else if (isJsonObject(value))
      for (const [key, one] of Object.entries(value)) visit(one, path === '' ? key : `${path}.${key}`);
  };
  visit(args, '');
  return found;
}
