import { join } from 'node:path';
import { ROOT } from './gateway.ts';

const server = (name: string): string =>
  join(ROOT, 'node_modules/@modelcontextprotocol', `server-${name}`, 'dist/index.js');

/** Real servers from npm, as entries of a group's `servers`. */
export const EVERYTHING = `{ name: everything-mcp, command: node, args: ["${server('everything')}", stdio] }`;
export const MEMORY = (file: string): string =>
  `{ name: memory-mcp, command: node, args: ["${server('memory')}"], env: { MEMORY_FILE_PATH: "${file}" } }`;
export const FILESYSTEM = (folder: string): string =>
  `{ name: filesystem-mcp, command: node, args: ["${server('filesystem')}", "${folder}"] }`;

/** The calculator example, run by the gateway on the given port. */
export const CALCULATOR = (port: number, extra = ''): string =>
  `{ name: calculator-mcp, command: node, args: ["${join(ROOT, 'dist/examples/calculator.js')}", --port, "${port}"], ` +
  `url: "http://127.0.0.1:${port}/mcp", allowPrivateAddress: true${extra} }`;

/** A configuration of groups with servers. */
export function configOf(groups: Readonly<Record<string, readonly string[]>>): string {
  const lines = ['version: 1', 'tenant: { name: toolgate, aliases: [truefoundry] }', 'groups:'];
  for (const [name, servers] of Object.entries(groups)) {
    lines.push(`  - name: ${name}`, '    servers:', ...servers.map((text) => `      - ${text}`));
  }
  lines.push('models: { providers: [{ name: demo, type: demo }] }');
  return `${lines.join('\n')}\n`;
}
