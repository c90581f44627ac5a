import { isJsonObject, type JsonObject } from '../contract/json.ts';

export interface MaskDeps {
  /** Masks secrets in a text, and makes visible what of it nobody would see. */
  readonly show: (text: string) => string;
  /** What a member of this name holds, where that is a secret: the mark that stands for it. */
  readonly secretOf: (name: string) => string | undefined;
}

/**
 * Makes arguments fit to be shown: what is secret is masked, in names and values, and nothing is hidden or acts on a
 * screen that shows it. What is shown of it stays exact otherwise.
 */
export function createArgumentMask({ show, secretOf }: MaskDeps): (args: JsonObject) => JsonObject {
  const shown = (value: unknown): unknown => {
    if (typeof value === 'string') return visible(show(value));
    // A number can be a secret, too, where it is one that is known.
    if (typeof value === 'number') return show(String(value)) === String(value) ? value : show(String(value));
    if (Array.isArray(value)) return value.map(shown);
    return isJsonObject(value) ? members(value) : value;
  };
  const members = (value: JsonObject): JsonObject => {
    const masked: Record<string, unknown> = {};
    for (const [name, inner] of Object.entries(value)) {
      const secret = typeof inner === 'string' && inner !== '' ? secretOf(name) : undefined;
      Object.defineProperty(masked, unused(masked, visible(show(name))), {
        value: secret ?? shown(inner),
        ...{ writable: true, enumerable: true, configurable: true },
      });
    }
    return masked;
  };
  return members;
}

/** Two names that look alike once they are shown must not become one. */
function unused(taken: JsonObject, name: string): string {
  let free = name;
  for (let count = 2; Object.hasOwn(taken, free); count++) free = `${name} (${count})`;
  return free;
}

/** The text with what moves the cursor or changes a terminal written out, but for tabs and ends of lines. */
export function visible(text: string): string {
  return text.replace(
    /(?![\t\n\r])\p{Cc}|\r(?!\n)|[\u2028\u2029]/gu,
    (control) => `[U+${control.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
  );
}
