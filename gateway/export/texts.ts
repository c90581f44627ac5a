import type { Config, ServerConfig } from '../config/schema.ts';

/** The script that serves an export; it finds `toolgate` on the PATH, or where the export was made. */
export function startScript(program: string): string {
  const quoted = program.replace(/["$`\\}]/g, '\\$&');
  return `#!/bin/sh
# Serves this folder's toolgate.yaml. Arguments are passed on, for instance: ./start.sh --port 9000
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ -f "$here/.env" ]; then set -a; . "$here/.env"; set +a; fi
if command -v toolgate >/dev/null 2>&1; then exec toolgate serve --config "$here/toolgate.yaml" "$@"; fi
exec node "\${TOOLGATE_PROGRAM:-${quoted}}" serve --config "$here/toolgate.yaml" "$@"
`;
}

export function exportReadme(config: Config, variables: readonly string[], notes: readonly string[]): string {
  const servers = config.groups.flatMap((group) =>
    group.servers.map(
      (server) => `| \`${config.tenant.name}:${group.name}:${server.name}\` | ${whereOf(server)} |`,
    ),
  );
  const section = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `\n## ${title}\n\n${lines.join('\n')}\n`;
  return `# Toolgate gateway

Exported from Toolgate. \`toolgate.yaml\` is the whole configuration; it holds no secrets and can be kept in git.

## Run it

\`\`\`sh
./start.sh                                          # or: toolgate serve --config toolgate.yaml
toolgate token create --config toolgate.yaml --name me --administrator   # a token to call it with
\`\`\`

Node.js 22.19 or newer is needed. The gateway listens on ${addressOf(config.listen)}, with MCP at \`/mcp\`.
${section('Servers', ['| name | where |', '| --- | --- |', ...servers])}${section(
    'Set before the start',
    variables.length === 0
      ? []
      : [
          'Copy `.env.example` to `.env` (mode 600, never in git) and fill in:',
          '',
          ...variables.map((name) => `- \`${name}\``),
        ],
  )}${section(
    'Know before you move it',
    notes.map((note) => `- ${note}`),
  )}`;
}

/** The address that clients use. */
function addressOf({ host, port, tls, publicUrl }: Config['listen']): string {
  const scheme = typeof tls === 'object' ? 'https' : 'http';
  return publicUrl ?? `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function whereOf({ url, command, virtual, openapi, baseUrl }: ServerConfig): string {
  if (virtual !== undefined) return `tools of ${virtual.map((pick) => `\`${pick.server}\``).join(', ')}`;
  if (openapi !== undefined) return `${baseUrl?.split('?')[0] ?? ''} (OpenAPI)`;
  return url?.split('?')[0] ?? `\`${command ?? ''}\``;
}
