import { applyEdits, findNodeAtLocation, modify, parseTree, type Edit, type ParseError } from 'jsonc-parser';
import type { ClientId } from '../../contract/import.ts';

/** The gateway as a client is to reach it. */
export interface Attachment {
  readonly client: ClientId;
  /** What the gateway is called in the client's list. */
  readonly name: string;
  /** `http://127.0.0.1:8665/mcp` or below. */
  readonly url: string;
  /** Written into the lists of clients that cannot ask for it. */
  readonly token: string;
}

/** A client's list that cannot be changed, and why. */
export class AttachError extends Error {}

const INPUT = 'toolgate-token';
const VSCODE_INPUT = {
  type: 'promptString',
  id: INPUT,
  description: 'Toolgate token (tg_pat_…)',
  password: true,
};

/**
 * The text of a client's list with the gateway in it; all else stays as it is, comments included. An entry that is there
 * already under the name is replaced. Throws an `AttachError`.
 */
export function attached(text: string, attachment: Attachment): string {
  const { client, name } = attachment;
  let next = set(text.trim() === '' ? '{}\n' : text, [listOf(client), name], entryOf(attachment));
  if (client === 'vscode' && inputIndex(next) < 0)
    next = set(next, ['inputs', inputCount(next)], VSCODE_INPUT, true);
  return next;
}

/** The text of a client's list without the gateway. Throws an `AttachError`. */
export function detached(text: string, client: ClientId, name: string): string {
  if (text.trim() === '') return text;
  let next = set(text, [listOf(client), name], undefined);
  if (client === 'vscode' && inputIndex(next) >= 0 && !next.includes(`\${input:${INPUT}}`))
    next = set(next, ['inputs', inputIndex(next)], undefined);
  return next;
}

/** Links that install the gateway in clients that follow such links. They hold no token. */
export function installLinks(
  name: string,
  url: string,
): Readonly<Record<'vscode' | 'vscode-insiders' | 'cursor', string>> {
  const headers = { Authorization: `Bearer \${input:${INPUT}}` };
  const code = encodeURIComponent(
    JSON.stringify({ name, type: 'http', url, headers, inputs: [VSCODE_INPUT] }),
  );
  const config = Buffer.from(
    JSON.stringify({ url, headers: { Authorization: 'Bearer ${env:TOOLGATE_TOKEN}' } }),
  );
  const cursor = new URLSearchParams({ name, config: config.toString('base64') });
  return {
    vscode: `vscode:mcp/install?${code}`,
    'vscode-insiders': `vscode-insiders:mcp/install?${code}`,
    cursor: `cursor://anysphere.cursor-deeplink/mcp/install?${cursor.toString()}`,
  };
}

function listOf(client: ClientId): string {
  return client === 'vscode' ? 'servers' : 'mcpServers';
}

function entryOf({ client, url, token }: Attachment): unknown {
  const headers = { Authorization: `Bearer ${token}` };
  switch (client) {
    case 'vscode':
      return { type: 'http', url, headers: { Authorization: `Bearer \${input:${INPUT}}` } };
    case 'claude-desktop':
      // It knows programs alone; what this one gets stays out of the process list.
      return {
        command: 'npx',
        args: ['-y', 'mcp-remote', url, '--header', 'Authorization:${TOOLGATE_AUTHORIZATION}'],
        env: { TOOLGATE_AUTHORIZATION: headers.Authorization },
      };
    case 'claude-code':
      return { type: 'http', url, headers };
    case 'copilot-cli':
      return { type: 'http', url, headers, tools: ['*'] };
    case 'cursor':
      return { url, headers };
    case 'windsurf':
      return { serverUrl: url, headers };
    case 'cline':
      return { type: 'streamableHttp', url, headers, disabled: false };
  }
}

function set(text: string, path: (string | number)[], value: unknown, insert = false): string {
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { allowTrailingComma: true });
  if (errors.length > 0 || tree?.type !== 'object')
    throw new AttachError('it is not a JSON object as it stands: mend it first');
  const list = findNodeAtLocation(tree, path.slice(0, 1));
  const wanted = typeof path[1] === 'number' ? 'array' : 'object';
  if (list !== undefined && list.type !== wanted)
    throw new AttachError(`its "${String(path[0])}" is not an ${wanted}: mend it first`);
  if (value === undefined && findNodeAtLocation(tree, path) === undefined) return text;
  const edits = modify(text, path, value, { isArrayInsertion: insert });
  return applyEdits(
    text,
    edits.map((edit) => ({ ...edit, content: laidOut(edit, text, list?.type, value) })),
  );
}

/** What an edit puts in, on lines of its own: formatting by the library would touch its neighbours. */
function laidOut({ length, content }: Edit, text: string, list: string | undefined, value: unknown): string {
  if (content === '') return content;
  const indent = /\n(\t| +)\S/.exec(text)?.[1] ?? '  ';
  const eol = text.includes('\r\n') ? '\r\n' : '\n';
  if (length > 0)
    return JSON.stringify(value, null, indent)
      .split('\n')
      .join(eol + indent.repeat(2));
  const base = list === undefined ? '' : indent;
  const [, lead = '', body = '', trail = ''] = /^(,?)([^]*?)(,?)$/.exec(content) ?? [];
  const whole: unknown = JSON.parse(list === 'array' ? `[${body}]` : `{${body}}`);
  const lines = JSON.stringify(whole, null, indent).split('\n').slice(1, -1);
  const end = lead === '' && trail === '' ? eol + base : trail;
  return lead + eol + lines.map((line) => base + line).join(eol) + end;
}

function inputs(text: string): readonly unknown[] {
  const tree = parseTree(text, [], { allowTrailingComma: true });
  return (tree && findNodeAtLocation(tree, ['inputs'])?.children) ?? [];
}

function inputCount(text: string): number {
  return inputs(text).length;
}

function inputIndex(text: string): number {
  const tree = parseTree(text, [], { allowTrailingComma: true });
  if (tree === undefined) return -1;
  return inputs(text).findIndex(
    (_, index) => findNodeAtLocation(tree, ['inputs', index, 'id'])?.value === INPUT,
  );
}
