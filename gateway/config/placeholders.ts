/**
 * Placeholders `{{NAME}}` in a server's headers and environment: each person who uses the server fills them in once,
 * with values of their own.
 */

const PLACEHOLDER = /\{\{([A-Za-z_][A-Za-z0-9_]{0,63})\}\}/g;

interface ServerTexts {
  readonly auth: {
    readonly type: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly perUser?: boolean | undefined;
  };
  readonly env: Readonly<Record<string, string>>;
}

/** The names of all placeholders of a server, sorted; none for a server that is the same for everybody. */
export function placeholdersOf({ auth, env }: ServerTexts): string[] {
  const headers = auth.perUser === true ? Object.values(auth.headers ?? {}) : [];
  return [...new Set([...headers, ...Object.values(env)].flatMap(placeholdersIn))].sort();
}

export function placeholdersIn(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)].flatMap(([, name]) => name ?? []);
}

/** The text with each placeholder replaced by what `valueOf` gives. */
export function fillPlaceholders(text: string, valueOf: (name: string) => string): string {
  return text.replace(PLACEHOLDER, (_whole, name: string) => valueOf(name));
}
