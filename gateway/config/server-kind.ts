import { isConfidential } from './address.ts';

/** The keys that say what a server is, and those that only some kinds of server have. */
interface ServerKeys {
  readonly url?: string | undefined;
  readonly transport?: string | undefined;
  readonly command?: string | undefined;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly process?: { readonly isolation: string } | undefined;
  readonly openapi?: string | undefined;
  readonly baseUrl?: string | undefined;
  readonly virtual?: readonly unknown[] | undefined;
  readonly auth: { readonly type: string };
  readonly allowPrivateAddress: boolean;
  readonly protocol: string;
}

/** Whether there is an MCP server of its own at the other end, which may ask back. */
export function speaksMcp({ openapi, virtual }: Pick<ServerKeys, 'openapi' | 'virtual'>): boolean {
  return openapi === undefined && virtual === undefined;
}

/** What does not fit together in the keys of one server. A server is one of: url and command, openapi, virtual. */
export function kindIssues(server: ServerKeys): { readonly key: string; readonly message: string }[] {
  const { url, command, args, env, cwd, auth, transport, virtual, openapi, baseUrl, process } = server;
  const issues: { key: string; message: string }[] = [];
  const issue = (wrong: boolean, key: string, message: string): void => {
    if (wrong) issues.push({ key, message });
  };
  const native = url !== undefined || command !== undefined;
  const api = openapi !== undefined;
  const none = !native && !api && virtual === undefined;
  issue(
    none,
    'url',
    'give a url (HTTP), a command (stdio), openapi (an HTTP API) or virtual (tools of other servers)',
  );
  issue(virtual !== undefined && (native || api), 'virtual', 'is in place of url, command and openapi');
  issue(
    virtual !== undefined && server.allowPrivateAddress,
    'allowPrivateAddress',
    'is for the servers that a virtual one is made of',
  );
  issue(!native && server.protocol !== 'auto', 'protocol', 'protocol needs a url or a command');
  issue(api && native, 'openapi', 'is in place of url and command');
  issue(
    api && baseUrl === undefined,
    'baseUrl',
    'openapi needs a baseUrl, which the paths of the document come after',
  );
  issue(!api && baseUrl !== undefined, 'baseUrl', 'baseUrl needs openapi');
  issue(command === undefined && args.length > 0, 'args', 'args need a command');
  issue(command === undefined && Object.keys(env).length > 0, 'env', 'env needs a command');
  issue(command === undefined && cwd !== undefined, 'cwd', 'cwd needs a command');
  issue(command === undefined && process !== undefined, 'process', 'process needs a command');
  issue(
    url !== undefined && (process?.isolation ?? 'shared') !== 'shared',
    'process',
    'a server that listens on its own address has one process: isolation must be shared',
  );
  issue(url === undefined && transport !== undefined, 'transport', 'transport needs a url');
  issue(
    transport === 'sse' && server.protocol === 'modern',
    'protocol',
    'the transport sse is of the legacy era',
  );
  const authless = url === undefined && !api && auth.type !== 'none';
  issue(authless, 'auth', `${auth.type === 'header' ? 'header auth' : auth.type} needs a url or openapi`);
  const signed = auth.type === 'oauth2' ? (url ?? baseUrl) : undefined;
  issue(signed !== undefined && command !== undefined, 'auth', 'oauth2 is for servers that others run');
  issue(
    signed !== undefined && !isConfidential(signed),
    url === undefined ? 'baseUrl' : 'url',
    'oauth2 needs an https address: tokens are sent there',
  );
  return issues;
}
