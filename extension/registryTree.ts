import * as vscode from 'vscode';
import { credentialWords } from '../gateway/contract/credential-text.ts';
import type { CredentialView } from '../gateway/contract/credentials.ts';
import type { ServerView, ToolView } from '../gateway/contract/registry.ts';
import { changeWords, visible } from '../gateway/contract/pin-text.ts';
import { COMMANDS } from './commandIds.ts';
import type { GatewayController } from './gatewayController.ts';
import type { RegistryFeed } from './registryFeed.ts';
import type { RegistryNode } from './registryNodes.ts';
import { childNodes, parentNode, rootNodes } from './registryNodes.ts';
import {
  countChanges,
  countServers,
  countTools,
  describeFailure,
  describeRetry,
  describeServerState,
  firstLine,
  isAtRest,
} from './words.ts';

const { t } = vscode.l10n;
const { None, Collapsed, Expanded } = vscode.TreeItemCollapsibleState;

/**
 * The registry as a tree: group, server, its tools, resources and prompts. What a server says of itself is shown as
 * plain text only, so that it can bring neither links nor pictures.
 */
export class RegistryTree implements vscode.TreeDataProvider<RegistryNode> {
  readonly #controller: GatewayController;
  readonly #feed: RegistryFeed;
  readonly onDidChangeTreeData: vscode.Event<void>;

  constructor(controller: GatewayController, feed: RegistryFeed) {
    this.#controller = controller;
    this.#feed = feed;
    this.onDidChangeTreeData = feed.onDidChange;
  }

  getChildren(node?: RegistryNode): RegistryNode[] {
    if (node === undefined) return rootNodes(this.#controller.status, this.#feed.registry);
    return childNodes(node, failureLines, this.#feed.credentials);
  }

  /** What `reveal` needs to unfold the way to a node. */
  getParent(node: RegistryNode): RegistryNode | undefined {
    return parentNode(node, this.#feed.registry);
  }

  getTreeItem(node: RegistryNode): vscode.TreeItem {
    const item = node.kind === 'server' ? serverItem(node.server, this.#lacking(node.server)) : toItem(node);
    item.contextValue = contextOf(node);
    const described = typeof item.description === 'string' ? `, ${item.description}` : '';
    item.accessibilityInformation = { label: `${labelOf(item)}${described}` };
    return item;
  }

  /** What the user has to give before the server can be used for them. */
  #lacking({ fqn }: ServerView): CredentialView | undefined {
    return this.#feed.credentials.find(({ server, state }) => server === fqn && state !== 'ok');
  }
}

/** What the menus are shown by. */
function contextOf(node: RegistryNode): string {
  if (node.kind === 'server' && node.server.disabled) return 'serverDisabled';
  return node.kind === 'credential'
    ? `credential/${node.credential.kind}/${node.credential.state}`
    : node.kind;
}

function labelOf(item: vscode.TreeItem): string {
  return typeof item.label === 'string' ? item.label : (item.label?.label ?? '');
}

function failureLines(node: RegistryNode): string[] {
  if (node.kind !== 'failure') return [];
  const lines = [...describeFailure(node.failure).split('\n'), describeRetry(node.status)];
  return lines.filter((line) => line.trim() !== '');
}

function toItem(node: RegistryNode): vscode.TreeItem {
  switch (node.kind) {
    case 'failure':
      return createItem(t('Gateway'), Expanded, {
        id: 'failure',
        description: node.status.status === 'failed' ? t('failed') : t('starting again'),
        icon: new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground')),
        tooltip: describeFailure(node.failure),
      });
    case 'failureLine':
      return createItem(node.text, None, { tooltip: node.text });
    case 'group':
      return createItem(node.group.name, Expanded, {
        id: `group/${node.group.name}`,
        description: [node.group.environment, countServers(node.group.servers.length)]
          .filter((part) => part !== undefined)
          .join(' · '),
        icon: new vscode.ThemeIcon('folder'),
        tooltip: node.group.description,
      });
    case 'server':
      return serverItem(node.server, undefined);
    case 'credential':
      return credentialItem(node);
    case 'notice':
      return createItem(firstLine(node.text), None, { icon: noticeIcon(node.severity), tooltip: node.text });
    case 'review':
      return createItem(t('Changes to Review ({0})', node.server.review?.waiting ?? 0), Expanded, {
        id: `${node.server.fqn}/review`,
        icon: noticeIcon('warning'),
        tooltip: t('Hidden and refused until they are accepted.'),
      });
    case 'change':
      return changeItem(node);
    case 'tools':
      return categoryItem(node.server, 'tools', 'tools', t('Tools ({0})', node.server.tools.length));
    case 'resources':
      return categoryItem(
        node.server,
        'resources',
        'files',
        t('Resources ({0})', node.server.resources.length),
      );
    case 'prompts':
      return categoryItem(
        node.server,
        'prompts',
        'comment-discussion',
        t('Prompts ({0})', node.server.prompts.length),
      );
    case 'tool':
      return createItem(node.tool.name, None, {
        id: `${node.server.fqn}/tools/${node.tool.name}`,
        description: firstLine(node.tool.description ?? node.tool.title ?? ''),
        icon: new vscode.ThemeIcon('symbol-method'),
        tooltip: toolTooltip(node.tool),
      });
    case 'resource':
      return createItem(node.resource.name, None, {
        id: `${node.server.fqn}/resources/${node.resource.uri}`,
        description: node.resource.uri,
        icon: new vscode.ThemeIcon(node.resource.template ? 'symbol-file' : 'file'),
        tooltip: lines(node.resource.uri, node.resource.mimeType, node.resource.description),
      });
    case 'prompt':
      return createItem(node.prompt.name, None, {
        id: `${node.server.fqn}/prompts/${node.prompt.name}`,
        description: firstLine(node.prompt.description ?? node.prompt.title ?? ''),
        icon: new vscode.ThemeIcon('comment'),
        tooltip: node.prompt.description,
      });
  }
}

interface ItemLook {
  readonly id?: string;
  readonly description?: string | undefined;
  readonly icon?: vscode.ThemeIcon;
  readonly tooltip?: string | undefined;
}

function createItem(label: string, state: vscode.TreeItemCollapsibleState, look: ItemLook): vscode.TreeItem {
  const item = new vscode.TreeItem(label, state);
  if (look.id !== undefined) item.id = look.id;
  if (look.description !== undefined && look.description !== '') item.description = look.description;
  if (look.icon !== undefined) item.iconPath = look.icon;
  item.tooltip = look.tooltip ?? label;
  return item;
}

function serverItem(server: ServerView, lacking: CredentialView | undefined): vscode.TreeItem {
  const state = describeServerState(server);
  if (lacking !== undefined && !server.disabled)
    return createItem(server.name, Collapsed, {
      id: server.fqn,
      description:
        lacking.state === 'consent' ? t('needs a sign-in') : t('needs {0}', lacking.missing.join(', ')),
      icon: new vscode.ThemeIcon('key', new vscode.ThemeColor('list.warningForeground')),
      tooltip: lines(serverTooltip(server, state), credentialWords(lacking, new Date())),
    });
  const waiting = server.review?.waiting ?? 0;
  const well = waiting === 0 ? countTools(server.tools.length) : t('{0} to review', countChanges(waiting));
  const rest = circuitWords(server) ?? (server.lastError === undefined ? well : firstLine(server.lastError));
  return createItem(server.name, Collapsed, {
    id: server.fqn,
    description: server.state === 'configured' || server.state === 'starting' ? state : `${state} · ${rest}`,
    icon:
      server.state === 'ready' && (waiting > 0 || circuitWords(server) !== undefined)
        ? noticeIcon('warning')
        : isAtRest(server)
          ? new vscode.ThemeIcon('circle-outline')
          : serverIcon(server.state),
    tooltip: serverTooltip(server, state),
  });
}

function changeItem(node: Extract<RegistryNode, { kind: 'change' }>): vscode.TreeItem {
  const { server, change } = node;
  const item = createItem(visible(change.name === '' ? t('instructions') : change.name), None, {
    id: `${server.fqn}/review/${change.kind}/${change.name}/${change.hash}`,
    description: `${change.kind} · ${changeWords(change)}`,
    icon: change.state === 'waiting' ? noticeIcon('warning') : new vscode.ThemeIcon('circle-slash'),
    tooltip: t('Hidden and refused until it is accepted.'),
  });
  item.command = { command: COMMANDS.reviewChange, title: t('Review Change…'), arguments: [node] };
  return item;
}

/** A click gives what is asked for. */
function credentialItem(node: Extract<RegistryNode, { kind: 'credential' }>): vscode.TreeItem {
  const { server, credential } = node;
  const { kind, state } = credential;
  const words = credentialWords(credential, new Date());
  const label = kind === 'oauth2' ? t('Sign In…') : t('Fill In {0}…', credential.missing.join(', '));
  const item = createItem(state === 'ok' ? words : label, None, {
    id: `${server.fqn}/credential`,
    description: state === 'ok' ? undefined : words,
    icon: state === 'ok' ? new vscode.ThemeIcon('key') : noticeIcon('warning'),
    tooltip: words,
  });
  if (state !== 'ok') {
    const command = kind === 'oauth2' ? COMMANDS.signInTo : COMMANDS.fillIn;
    item.command = { command, title: label, arguments: [node] };
  }
  return item;
}

function categoryItem(server: ServerView, category: string, icon: string, label: string): vscode.TreeItem {
  return createItem(label, Collapsed, { id: `${server.fqn}/${category}`, icon: new vscode.ThemeIcon(icon) });
}

function serverIcon(state: ServerView['state']): vscode.ThemeIcon {
  switch (state) {
    case 'configured':
      return new vscode.ThemeIcon('circle-outline');
    case 'starting':
      return new vscode.ThemeIcon('loading~spin');
    case 'ready':
      return new vscode.ThemeIcon('pass', new vscode.ThemeColor('testing.iconPassed'));
    case 'degraded':
      return new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
    case 'failed':
      return new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'));
    case 'stopped':
      return new vscode.ThemeIcon('circle-slash');
  }
}

function noticeIcon(severity: 'error' | 'warning'): vscode.ThemeIcon {
  const colour = severity === 'error' ? 'list.errorForeground' : 'list.warningForeground';
  return new vscode.ThemeIcon(severity, new vscode.ThemeColor(colour));
}

/** Why no calls are made of it; undefined while they are. */
function circuitWords({ health }: ServerView): string | undefined {
  if (health === undefined || health.circuit === 'closed') return undefined;
  if (health.circuit === 'half-open') return t('failed too often, is tried again');
  const at = health.opensAgainAt;
  return at === undefined
    ? t('failed too often, is left in peace')
    : t('failed too often, is tried again at {0}', new Date(at).toLocaleTimeString());
}

function serverTooltip(server: ServerView, state: string): string {
  const info = server.serverInfo;
  return lines(
    `${server.fqn} (${state})`,
    server.description,
    info === undefined ? server.transport : `${info.name} ${info.version}, ${server.transport}`,
    server.listedAt === undefined ? undefined : t('Listed {0}', new Date(server.listedAt).toLocaleString()),
    server.lastError,
    circuitWords(server),
    (server.health?.retries ?? 0) > 0 ? t('Tried again {0} times', server.health?.retries ?? 0) : undefined,
    ...server.warnings,
    ...(server.stderrTail.length > 0 ? [t('Its newest messages:'), ...server.stderrTail] : []),
  );
}

function toolTooltip(tool: ToolView): string {
  const hints = tool.annotations ?? {};
  return lines(
    tool.description ?? tool.title ?? tool.name,
    hints.readOnlyHint === true ? t('By its own account it only reads.') : undefined,
    hints.destructiveHint === true ? t('By its own account it may destroy data.') : undefined,
  );
}

function lines(...parts: (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join('\n');
}
