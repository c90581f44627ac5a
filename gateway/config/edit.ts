import { isMap, isScalar, isSeq, parseDocument, type Document, type YAMLMap, type YAMLSeq } from 'yaml';

/** What a group or a server is given in the configuration's own keys and units, references as references. */
export type Written = Readonly<Record<string, unknown>>;

/** The lists below `subjects` that hold one entry a subject or team. */
export type SubjectList = 'users' | 'teams' | 'serviceAccounts';

/** One change to the registry's part of a `toolgate.yaml`. Servers are named `group:server`. */
export type Edit =
  | { readonly kind: 'add-group'; readonly group: Written & { readonly name: string } }
  /** `null` takes a key away. */
  | { readonly kind: 'edit-group'; readonly group: string; readonly changes: Written }
  /** With `servers` the group goes with all its servers; without, it must be empty. */
  | { readonly kind: 'remove-group'; readonly group: string; readonly servers: boolean }
  | {
      readonly kind: 'add-server';
      readonly group: string;
      readonly server: Written & { readonly name: string };
    }
  | { readonly kind: 'edit-server'; readonly server: string; readonly changes: Written }
  | { readonly kind: 'remove-server'; readonly server: string }
  | { readonly kind: 'move-server'; readonly server: string; readonly group: string }
  | {
      readonly kind: 'rule-tool';
      readonly server: string;
      readonly tool: string;
      readonly rule: ToolEffect | null;
    }
  | {
      readonly kind: 'add-subject';
      readonly list: SubjectList;
      readonly entry: Written & { readonly name: string };
    }
  | {
      readonly kind: 'edit-subject';
      readonly list: SubjectList;
      readonly name: string;
      readonly changes: Written;
    }
  | { readonly kind: 'remove-subject'; readonly list: SubjectList; readonly name: string }
  /** A copy for another group, under the same name unless `changes` names another. */
  | {
      readonly kind: 'promote-server';
      readonly server: string;
      readonly group: string;
      readonly changes: Written;
    };

/** An edit that does not fit the configuration it is for. */
export class EditError extends Error {
  readonly status: 404 | 409;
  readonly field: string;

  constructor(status: 404 | 409, field: string, message: string) {
    super(message);
    this.name = 'EditError';
    this.status = status;
    this.field = field;
  }
}

/** What a promoted server does not take along: it belongs to the place the server was in. */
const OF_ITS_PLACE = ['auth', 'env'];

/**
 * The text with one edit made: comments, order, references and all that is not concerned stay as they are. Throws an
 * `EditError`. Whether the outcome is a good configuration is for `parseConfig` to say.
 */
export function editConfig(text: string, edit: Edit): string {
  const document = parseDocument(text);
  make(document, edit);
  return document.toString({ lineWidth: 0 });
}

function make(document: Document, edit: Edit): void {
  switch (edit.kind) {
    case 'add-group':
      if (indexOf(groupsOf(document), edit.group.name) >= 0)
        throw new EditError(409, 'name', `there is a group "${edit.group.name}" already`);
      groupsOf(document).add(document.createNode(edit.group));
      return;
    case 'edit-group':
      change(document, groupNode(document, edit.group), edit.changes);
      return;
    case 'remove-group': {
      const node = groupNode(document, edit.group);
      const count = serversOf(document, node).items.length;
      if (count > 0 && !edit.servers) {
        throw new EditError(
          409,
          'group',
          `the group "${edit.group}" has ${count} servers: move or remove them, or remove the group with its servers`,
        );
      }
      groupsOf(document).delete(indexOf(groupsOf(document), edit.group));
      return;
    }
    case 'add-server':
      append(document, edit.group, asMap(document.createNode(edit.server), 'the server'), edit.server.name);
      return;
    case 'edit-server': {
      const [group, name] = split(edit.server);
      const { node, list } = serverNode(document, edit.server);
      const renamed = edit.changes['name'];
      if (typeof renamed === 'string' && renamed !== name && indexOf(list, renamed) >= 0)
        throw new EditError(409, 'name', `there is a server "${renamed}" in "${group}" already`);
      change(document, node, edit.changes);
      return;
    }
    case 'remove-server': {
      const { list, index } = serverNode(document, edit.server);
      list.delete(index);
      return;
    }
    case 'move-server': {
      const { list, index, node } = serverNode(document, edit.server);
      append(document, edit.group, node, split(edit.server)[1]);
      list.delete(index);
      return;
    }
    case 'add-subject': {
      const list = listIn(document, mapIn(document, 'subjects'), edit.list);
      if (indexOf(list, edit.entry.name) >= 0)
        throw new EditError(409, 'name', `"${edit.entry.name}" is there already, in subjects.${edit.list}`);
      list.add(document.createNode(edit.entry));
      return;
    }
    case 'edit-subject':
      change(document, subjectNode(document, edit).node, edit.changes);
      return;
    case 'remove-subject': {
      const { list, index } = subjectNode(document, edit);
      list.delete(index);
      return;
    }
    case 'rule-tool':
      ruleTool(document, serverNode(document, edit.server).node, edit.tool, edit.rule);
      return;
    case 'promote-server': {
      const copy = asMap(serverNode(document, edit.server).node.clone(), 'the copy');
      for (const key of OF_ITS_PLACE) copy.delete(key);
      change(document, copy, edit.changes);
      append(document, edit.group, copy, String(copy.get('name')));
    }
  }
}

/** What holds for one tool by its name. */
export interface ToolEffect {
  readonly effect: 'allow' | 'deny';
  /** In CEL: when it counts. */
  readonly when?: string | undefined;
}

const OF_AN_EFFECT: readonly unknown[] = ['match', 'effect', 'when'];

/**
 * Says what holds for one tool, in place of such a rule of before; other rules stay. A denial without a condition leaves what
 * was said before, and is what null takes back first, so that a tool can be denied for a while.
 */
function ruleTool(document: Document, server: YAMLMap, tool: string, rule: ToolEffect | null): void {
  const rules = listIn(document, server, 'tools');
  const own = rules.items.filter(
    (item): item is YAMLMap =>
      isMap(item) &&
      item.get('match') === tool &&
      item.has('effect') &&
      item.items.every(({ key }) => OF_AN_EFFECT.includes(isScalar(key) ? key.value : key)),
  );
  const denial = own.find((item) => item.get('effect') === 'deny' && !item.has('when'));
  const drop = (items: readonly unknown[]): void => {
    rules.items = rules.items.filter((item) => !items.includes(item));
  };
  if (rule === null) drop(denial === undefined ? own : [denial]);
  else if (rule.effect === 'deny' && rule.when === undefined) drop(denial === undefined ? [] : [denial]);
  else drop(own);
  if (rule !== null) {
    const { effect, when } = rule;
    rules.add(document.createNode({ match: tool, effect, ...(when !== undefined && { when }) }));
  }
  if (rules.items.length === 0) server.delete('tools');
}

function append(document: Document, group: string, server: YAMLMap, name: string): void {
  const list = serversOf(document, groupNode(document, group));
  if (indexOf(list, name) >= 0)
    throw new EditError(409, 'name', `there is a server "${name}" in "${group}" already`);
  list.add(server);
}

function change(document: Document, node: YAMLMap, changes: Written): void {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) node.delete(key);
    else assign(document, node, key, value);
  }
}

function subjectNode(
  document: Document,
  { list: key, name }: { readonly list: SubjectList; readonly name: string },
): { readonly list: YAMLSeq; readonly index: number; readonly node: YAMLMap } {
  const list = listIn(document, mapIn(document, 'subjects'), key);
  const index = indexOf(list, name);
  if (index < 0) throw new EditError(404, 'name', `there is no "${name}" in subjects.${key}`);
  return { list, index, node: asMap(list.items[index], name) };
}

/** A mapping at the top, made where there is none. */
function mapIn(document: Document, key: string): YAMLMap {
  if (!isMap(document.get(key, true))) document.set(key, document.createNode({}));
  return asMap(document.get(key, true), key);
}

/** Sets a key; of a mapping or a list that is there, what stays the same keeps its comments and its look. */
function assign(document: Document, node: YAMLMap, key: string, value: unknown): void {
  const there: unknown = node.get(key, true);
  if (isMap(there) && isMapping(value)) {
    const gone = there.items.flatMap((item) => (isScalar(item.key) ? [String(item.key.value)] : []));
    for (const name of gone) if (!Object.hasOwn(value, name)) there.delete(name);
    for (const [name, inner] of Object.entries(value)) assign(document, there, name, inner);
  } else if (isSeq(there) && isListOfTexts(value)) {
    const known = (item: unknown): string | undefined =>
      isScalar(item) && typeof item.value === 'string' ? item.value : undefined;
    const left = there.items.filter((item) => value.includes(known(item) ?? ''));
    const added = value.filter((text) => !left.some((item) => known(item) === text));
    there.items = [...left, ...added.map((text) => document.createNode(text))];
  } else if (!isScalar(there) || there.value !== value) node.set(key, document.createNode(value));
}

function isListOfTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isMapping(value: unknown): value is Written {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The list of groups, made where there is none. */
function groupsOf(document: Document): YAMLSeq {
  return listIn(document, document, 'groups');
}

function serversOf(document: Document, group: YAMLMap): YAMLSeq {
  return listIn(document, group, 'servers');
}

function listIn(document: Document, parent: Document | YAMLMap, key: string): YAMLSeq {
  const found: unknown = parent.get(key, true);
  if (isSeq(found)) return found;
  if (found !== undefined && !(isScalar(found) && found.value === null)) {
    throw new EditError(
      409,
      key,
      `${key} is not written as a list of its own (an alias, perhaps): change the file by hand`,
    );
  }
  const list = document.createNode([]) as YAMLSeq;
  parent.set(key, list);
  return list;
}

function groupNode(document: Document, name: string): YAMLMap {
  const groups = groupsOf(document);
  const node = groups.items[indexOf(groups, name)];
  if (node === undefined) throw new EditError(404, 'group', `there is no group "${name}"`);
  return asMap(node, `the group "${name}"`);
}

function serverNode(
  document: Document,
  id: string,
): { readonly list: YAMLSeq; readonly index: number; readonly node: YAMLMap } {
  const [group, name] = split(id);
  const list = serversOf(document, groupNode(document, group));
  const index = indexOf(list, name);
  if (index < 0) throw new EditError(404, 'server', `there is no server "${name}" in "${group}"`);
  return { list, index, node: asMap(list.items[index], `the server "${id}"`) };
}

function asMap(node: unknown, what: string): YAMLMap {
  if (isMap(node)) return node;
  throw new EditError(409, 'name', `${what} is not written in place (an alias, perhaps): change it by hand`);
}

function indexOf(list: YAMLSeq, name: string): number {
  return list.items.findIndex((item) => isMap(item) && item.get('name') === name);
}

function split(id: string): [string, string] {
  const colon = id.indexOf(':');
  return [id.slice(0, colon), id.slice(colon + 1)];
}
