import type { Finding } from './finding.ts';
import { isPlaceholder } from './secrets-known.ts';

/** A name that says so, an assignment, and what follows it. */
const ASSIGNED =
  /(pass(?:word|wd|phrase|code)|passwort|kennwort|contraseña|mot de passe|pwd|secret|token|api[_ -]?key|access[_ -]?key|account[_ -]?key|private[_ -]?key|signing[_ -]?key|encryption[_ -]?key|credentials?)(?:[_-]?(?:key|access[_-]?key|value|base64))?(?:\\?["'`])?[ \t]{0,3}(?:=>|:=|==?|:|\bis\b)[ \t]{0,3}(?:\\?(["'`]))?/gi;
/** Without them there is no such name. */
const NAMES = ['pass', 'pwd', 'kennwort', 'contrase', 'secret', 'token', 'key', 'credential'];
const LONGEST = 512;
/** Names that only sound like secrets. */
const HARMLESS_BEFORE =
  /(?:page|next|prev(?:ious)?|continu(?:ation|e)|sync|cursor|start|end|max|min|num|count|public|primary|foreign|sort|partition|cache|idempotency|design|stop|eos|bos|pad|csrf)[_ -]?$/i;

/** The whole of a name whose value is a secret. */
const SECRET_NAME =
  /(?:(?:^|[_.-])pass|pass(?:word|wd|phrase|code)|passwort|kennwort|contraseña|pwd|secret|token|(?:api|access|account|private|signing|encryption|secret)[_ -]?key|credentials?|authorization|(?:^|[_-])cookie)$/i;

/** What a member of this name holds where that is a secret, e.g. `clientSecret`: `password`, `token`, `api-key` or `secret`. */
export function secretNamed(name: string): string | undefined {
  const match = SECRET_NAME.exec(name);
  if (match === null || HARMLESS_BEFORE.test(name.slice(0, match.index))) return undefined;
  return entityOf(match[0].toLowerCase().replace(/^[_.-]/, ''));
}

/** What is assigned to names like `password`, `client_secret` or `API_KEY`; not words of a sentence about them. */
export function addAssigned(found: Finding[], text: string): void {
  const lower = text.toLowerCase();
  if (!NAMES.some((name) => lower.includes(name))) return;
  ASSIGNED.lastIndex = 0;
  for (let match = ASSIGNED.exec(text); match !== null; match = ASSIGNED.exec(text)) {
    const [whole, name = '', quote] = match;
    const start = match.index + whole.length;
    const value = valueAt(text, start, quote);
    if (HARMLESS_BEFORE.test(text.slice(Math.max(0, match.index - 16), match.index))) continue;
    if (
      !isSecret(
        name.toLowerCase(),
        value,
        quote !== undefined,
        /[=]/.test(whole),
        /\bis\b[ \t]*$/i.test(whole),
      )
    )
      continue;
    found.push({ start, end: start + value.length, entity: entityOf(name.toLowerCase()) });
    ASSIGNED.lastIndex = start + value.length;
  }
}

function valueAt(text: string, start: number, quote: string | undefined): string {
  const ends =
    quote === undefined ? /[\s,;&"'`<>)\]}]/ : quote === '"' ? /["\n]/ : quote === "'" ? /['\n]/ : /[`\n]/;
  const stretch = text.slice(start, start + LONGEST);
  // A mark is a placeholder as a whole, so that its closing bracket belongs to it.
  const end = stretch.startsWith('[') ? -1 : stretch.search(ends);
  const value = end === -1 ? stretch : stretch.slice(0, end);
  return value.endsWith('\\') ? value.slice(0, -1) : value;
}

function isSecret(name: string, value: string, quoted: boolean, equals: boolean, spoken: boolean): boolean {
  if (
    value.length < 4 ||
    isPlaceholder(value) ||
    (/[(]/.test(value) && /[)]?$/.test(value) && /^[\w.]+\(/.test(value))
  )
    return false;
  const digit = /\d/.test(value);
  const special = /[^A-Za-z0-9\s._-]/.test(value);
  const password = /^(?:pass|kenn|contr|mot|pwd)/.test(name);
  if (/\s/.test(value)) return password && quoted && equals && value.length <= 64 && (digit || special);
  if (/^https?:\/\//.test(value)) return false;
  if (password) {
    if (spoken) return digit || (special && !/[.?!:]$/.test(value));
    if (quoted) return value.length >= 6 || digit || special;
    return equals ? true : digit || (special && !/^[A-Za-z]+[.?!]+$/.test(value));
  }
  if (value.length < 12 || /^[\d.]+$/.test(value)) return false;
  if (spoken) return digit && /[A-Za-z]/.test(value) && value.length >= 16;
  return digit && /[A-Za-z]/.test(value)
    ? !/^v?\d+[.\d]*$/.test(value)
    : special && value.length >= 16 && !/[/.:]/.test(value);
}

function entityOf(name: string): string {
  if (/^(?:pass|kenn|contr|mot|pwd|cred)/.test(name)) return 'password';
  if (name === 'token') return 'token';
  return name.endsWith('key') ? 'api-key' : 'secret';
}
