import type { CredentialView } from '../gateway/contract/credentials.ts';
import type { ReviewSummary } from '../gateway/contract/pins.ts';
import type {
  GroupView,
  PromptView,
  RegistryView,
  ResourceView,
  ServerView,
  ToolView,
} from '../gateway/contract/registry.ts';
import type { SearchHit } from '../gateway/contract/search.ts';
import type { GatewayFailure, GatewayStatus } from './gatewaySupervisor.ts';

/** What the registry tree is made of. */
export type RegistryNode =
  | { readonly kind: 'failure'; readonly failure: GatewayFailure; readonly status: GatewayStatus }
  | { readonly kind: 'failureLine'; readonly text: string }
  | { readonly kind: 'group'; readonly group: GroupView }
  | { readonly kind: 'server'; readonly server: ServerView }
  | {
      readonly kind: 'notice';
      readonly server: ServerView;
      readonly severity: 'error' | 'warning';
      readonly text: string;
    }
  | { readonly kind: 'credential'; readonly server: ServerView; readonly credential: CredentialView }
  | { readonly kind: 'review'; readonly server: ServerView }
  | {
      readonly kind: 'change';
      readonly server: ServerView;
      readonly change: ReviewSummary['changes'][number];
    }
  | { readonly kind: 'tools'; readonly server: ServerView }
  | { readonly kind: 'resources'; readonly server: ServerView }
  | { readonly kind: 'prompts'; readonly server: ServerView }
  | { readonly kind: 'tool'; readonly server: ServerView; readonly tool: ToolView }
  | { readonly kind: 'resource'; readonly server: ServerView; readonly resource: ResourceView }
  | { readonly kind: 'prompt'; readonly server: ServerView; readonly prompt: PromptView };

/** The top of the tree: the failure of the gateway until it runs again, else the groups. */
export function rootNodes(status: GatewayStatus, registry: RegistryView | undefined): RegistryNode[] {
  const failure = failureOf(status);
  if (failure !== undefined) return [{ kind: 'failure', failure, status }];
  return (registry?.groups ?? []).map((group) => ({ kind: 'group', group }));
}

function failureOf(status: GatewayStatus): GatewayFailure | undefined {
  if (status.status === 'failed') return status.failure;
  return status.status === 'starting' ? status.after : undefined;
}

/** The nodes below one; `words` are the lines of a failure. */
export function childNodes(
  node: RegistryNode,
  words: (node: RegistryNode) => string[],
  credentials: readonly CredentialView[] = [],
): RegistryNode[] {
  switch (node.kind) {
    case 'failure':
      return words(node).map((text) => ({ kind: 'failureLine', text }));
    case 'group':
      return node.group.servers.map((server) => ({ kind: 'server', server }));
    case 'server':
      return [...credentialNodes(node.server, credentials), ...serverChildren(node.server)];
    case 'review':
      return (node.server.review?.changes ?? []).map((change) => ({
        kind: 'change',
        server: node.server,
        change,
      }));
    case 'tools':
      return node.server.tools.map((tool) => ({ kind: 'tool', server: node.server, tool }));
    case 'resources':
      return node.server.resources.map((resource) => ({ kind: 'resource', server: node.server, resource }));
    case 'prompts':
      return node.server.prompts.map((prompt) => ({ kind: 'prompt', server: node.server, prompt }));
    default:
      return [];
  }
}

/** What a server asks the user for. */
function credentialNodes(server: ServerView, credentials: readonly CredentialView[]): RegistryNode[] {
  return credentials
    .filter((credential) => credential.server === server.fqn)
    .map((credential) => ({ kind: 'credential', server, credential }));
}

function serverChildren(server: ServerView): RegistryNode[] {
  const children: RegistryNode[] = [];
  // What it lacks, the credential says.
  if (server.lastError !== undefined && server.lacks === undefined) {
    children.push({ kind: 'notice', server, severity: 'error', text: server.lastError });
  }
  for (const text of server.warnings) children.push({ kind: 'notice', server, severity: 'warning', text });
  if (server.review !== undefined) children.push({ kind: 'review', server });
  if (server.tools.length > 0) children.push({ kind: 'tools', server });
  if (server.resources.length > 0) children.push({ kind: 'resources', server });
  if (server.prompts.length > 0) children.push({ kind: 'prompts', server });
  return children;
}

/** Whether a command was given a node of the tree. */
export function isRegistryNode(argument: unknown): argument is RegistryNode {
  return typeof argument === 'object' && argument !== null && 'kind' in argument;
}

/** How many changes of a registry nobody has decided on. */
export function countWaiting(registry: RegistryView): number {
  return allServers(registry).reduce((count, { review }) => count + (review?.waiting ?? 0), 0);
}

/** The node above one; undefined at the top. */
export function parentNode(node: RegistryNode, registry: RegistryView | undefined): RegistryNode | undefined {
  switch (node.kind) {
    case 'tool':
      return { kind: 'tools', server: node.server };
    case 'resource':
      return { kind: 'resources', server: node.server };
    case 'prompt':
      return { kind: 'prompts', server: node.server };
    case 'tools':
    case 'resources':
    case 'prompts':
    case 'notice':
    case 'credential':
      return { kind: 'server', server: node.server };
    case 'server': {
      const group = registry?.groups.find(({ name }) => name === node.server.group);
      return group && { kind: 'group', group };
    }
    default:
      return undefined;
  }
}

/** The node of what a search found; its server's, where the tree does not show it itself. */
export function findNode(registry: RegistryView | undefined, hit: SearchHit): RegistryNode | undefined {
  const server = registry && allServers(registry).find(({ fqn }) => fqn === hit.server);
  if (server === undefined) return undefined;
  const tool = hit.kind === 'tool' ? server.tools.find(({ name }) => name === hit.name) : undefined;
  if (tool !== undefined) return { kind: 'tool', server, tool };
  const prompt = hit.kind === 'prompt' ? server.prompts.find(({ name }) => name === hit.name) : undefined;
  if (prompt !== undefined) return { kind: 'prompt', server, prompt };
  const resource = hit.kind === 'resource' ? server.resources.find(({ uri }) => uri === hit.uri) : undefined;
  return resource === undefined ? { kind: 'server', server } : { kind: 'resource', server, resource };
}

/** The servers of all groups. */
export function allServers(registry: RegistryView): ServerView[] {
  return registry.groups.flatMap((group) => group.servers);
}
