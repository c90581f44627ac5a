import { join, win32 } from 'node:path';
import type { ClientId } from '../../contract/import.ts';

/** Of what the places of clients' files depend on. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  /** The workspace folder, for the files that belong to one. */
  readonly folder: string;
}

export interface ClientFile {
  readonly client: ClientId;
  readonly file: string;
  /** Belongs to a workspace, and so to whoever wrote that. */
  readonly workspace: boolean;
}

/** Where clients keep their lists of MCP servers; a client's first file is the one to attach to. */
export function clientFiles(machine: Machine): readonly ClientFile[] {
  const { home, env, folder } = machine;
  const path = machine.platform === 'win32' ? win32.join : join;
  const data = dataFolder(machine, path);
  const code = path(data, 'Code', 'User');
  const mine = (client: ClientId, file: string): ClientFile => ({ client, file, workspace: false });
  const workspace = (client: ClientId, ...parts: string[]): ClientFile => ({
    client,
    file: path(folder, ...parts),
    workspace: true,
  });
  return [
    mine('vscode', path(code, 'mcp.json')),
    workspace('vscode', '.vscode', 'mcp.json'),
    mine('claude-desktop', path(data, 'Claude', 'claude_desktop_config.json')),
    mine('claude-code', path(env['CLAUDE_CONFIG_DIR'] ?? home, '.claude.json')),
    workspace('claude-code', '.mcp.json'),
    mine('cursor', path(home, '.cursor', 'mcp.json')),
    workspace('cursor', '.cursor', 'mcp.json'),
    mine('windsurf', path(home, '.codeium', 'windsurf', 'mcp_config.json')),
    mine('copilot-cli', path(env['COPILOT_HOME'] ?? path(home, '.copilot'), 'mcp-config.json')),
    mine(
      'cline',
      path(code, 'globalStorage', 'saoudrizwan.claude-dev', 'settings', 'cline_mcp_settings.json'),
    ),
  ];
}

/** Where programs of this platform keep their users' data. */
function dataFolder({ platform, home, env }: Machine, path: typeof join): string {
  if (platform === 'win32') return env['APPDATA'] ?? path(home, 'AppData', 'Roaming');
  if (platform === 'darwin') return path(home, 'Library', 'Application Support');
  return env['XDG_CONFIG_HOME'] ?? path(home, '.config');
}
