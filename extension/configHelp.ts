import path from 'node:path';
import * as vscode from 'vscode';
import {
  configJsonSchema,
  knownKeys,
  schemaAt,
  valuesOf,
  type SchemaNode,
} from '../gateway/config/known-keys.ts';
import { parseConfig } from '../gateway/config/load.ts';
import { CONFIG_FILE_NAME } from './configFile.ts';
import { placeAt, type YamlPlace } from './yamlPlace.ts';

const { t } = vscode.l10n;
const SELECTOR: vscode.DocumentFilter = { pattern: `**/${CONFIG_FILE_NAME}` };
const CHECK_DELAY_MS = 300;

/**
 * Help with writing a `toolgate.yaml`: what is wrong with it is marked while it is typed, keys and values are proposed, and a
 * key tells what it takes. Nothing is run or resolved, so that this is for untrusted workspaces too.
 */
export function helpWithConfiguration(): vscode.Disposable {
  const schema = configJsonSchema();
  return vscode.Disposable.from(
    markProblems(),
    vscode.languages.registerCompletionItemProvider(SELECTOR, {
      provideCompletionItems: (document, position) => proposals(schema, placeOf(document, position)),
    }),
    vscode.languages.registerHoverProvider(SELECTOR, {
      provideHover: (document, position) => hover(schema, document, position),
    }),
  );
}

function markProblems(): vscode.Disposable {
  const problems = vscode.languages.createDiagnosticCollection('toolgate');
  const timers = new Map<string, NodeJS.Timeout>();
  const check = (document: vscode.TextDocument): void => {
    if (path.posix.basename(document.uri.path) !== CONFIG_FILE_NAME) return;
    const parsed = parseConfig(document.getText());
    const found = parsed.ok ? [] : parsed.issues.map((issue) => diagnosticOf(document, issue));
    problems.set(document.uri, found);
  };
  const checkSoon = (document: vscode.TextDocument): void => {
    const key = document.uri.toString();
    clearTimeout(timers.get(key));
    timers.set(
      key,
      setTimeout(() => {
        timers.delete(key);
        if (!document.isClosed) check(document);
      }, CHECK_DELAY_MS),
    );
  };
  vscode.workspace.textDocuments.forEach(check);
  return vscode.Disposable.from(
    problems,
    vscode.workspace.onDidOpenTextDocument(check),
    vscode.workspace.onDidChangeTextDocument(({ document }) => {
      checkSoon(document);
    }),
    vscode.workspace.onDidCloseTextDocument(({ uri }) => {
      problems.delete(uri);
    }),
  );
}

function diagnosticOf(
  document: vscode.TextDocument,
  issue: Readonly<{ path: string; line?: number; column?: number; message: string }>,
): vscode.Diagnostic {
  const start = new vscode.Position((issue.line ?? 1) - 1, (issue.column ?? 1) - 1);
  const range = document.getWordRangeAtPosition(start) ?? document.lineAt(start.line).range;
  const message = issue.path === '' ? issue.message : `${issue.path}: ${issue.message}`;
  const diagnostic = new vscode.Diagnostic(range, message, vscode.DiagnosticSeverity.Error);
  diagnostic.source = 'Toolgate';
  return diagnostic;
}

function placeOf(document: vscode.TextDocument, { line, character }: vscode.Position): YamlPlace {
  return placeAt(document.getText(), line, character);
}

function proposals(schema: SchemaNode, { path: way, key }: YamlPlace): vscode.CompletionItem[] {
  const node = nodeAt(schema, way);
  if (key !== undefined)
    return valuesOf(schemaAt(node, undefined, key)).map(
      (value) => new vscode.CompletionItem(value, vscode.CompletionItemKind.Value),
    );
  return knownKeys(node, undefined).map((name) => {
    const item = new vscode.CompletionItem(name, vscode.CompletionItemKind.Property);
    item.insertText = `${name}: `;
    item.detail = takes(schemaAt(node, undefined, name));
    return item;
  });
}

function hover(
  schema: SchemaNode,
  document: vscode.TextDocument,
  position: vscode.Position,
): vscode.Hover | undefined {
  const range = document.getWordRangeAtPosition(position, /[\w.-]+/);
  if (range === undefined) return undefined;
  const word = document.getText(range);
  const { path: way, key } = placeOf(document, range.start);
  if (key !== undefined) return undefined;
  const words = takes(schemaAt(nodeAt(schema, way), undefined, word));
  return words === '' ? undefined : new vscode.Hover(`\`${word}\`: ${words}`, range);
}

function nodeAt(schema: SchemaNode, way: YamlPlace['path']): SchemaNode | undefined {
  return way.reduce<SchemaNode | undefined>((node, key) => schemaAt(node, undefined, key), schema);
}

/** What a key takes, in a line. */
function takes(node: SchemaNode | undefined): string {
  if (node === undefined) return '';
  const values = valuesOf(node);
  const kind = values.length > 0 ? values.join(' | ') : kindOf(node);
  const { default: standard } = node;
  const simple = ['string', 'number', 'boolean'].includes(typeof standard);
  return simple ? t('{0} (default: {1})', kind, String(standard)) : kind;
}

function kindOf({ type, items, properties, oneOf, anyOf }: SchemaNode): string {
  if (items !== undefined) return t('a list');
  if (properties !== undefined || oneOf?.some((one) => one.properties)) return t('a mapping');
  return type ?? anyOf?.find((one) => one.type !== undefined)?.type ?? t('a value');
}
