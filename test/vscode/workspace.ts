import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { changingServer } from '../support/changing-server.ts';

/** The variable by which the configuration of a test finds the servers in this repository's node_modules. */
export const MODULES_VARIABLE = 'TOOLGATE_TEST_MODULES';

/**
 * Makes a workspace whose `toolgate.yaml` names real servers, one that cannot start, and one that offers what
 * `memos/offering.json` says.
 */
export async function makeWorkspace(folder: string, calculatorPort: number): Promise<void> {
  const memos = path.join(folder, 'memos');
  await mkdir(memos, { recursive: true });
  const changing = await changingServer({ tools: { list: { description: 'Lists the memos' } } }, memos);
  const text = configuration(calculatorPort, changing.entry('memo-mcp'));
  await writeFile(path.join(folder, 'toolgate.yaml'), text);
}

/** The calculator is the one that ships in the VSIX. */
function configuration(calculatorPort: number, memos: string): string {
  return `version: 1
tenant: { name: toolgate, aliases: [truefoundry] }
groups:
  - name: common
    description: Servers everybody needs
    environment: test
    servers:
      - name: calculator-mcp
        description: Adds, subtracts, multiplies and divides
        command: node
        args: ["\${env:TOOLGATE_HOME}/dist/examples/calculator.js", --port, "${calculatorPort}"]
        url: http://127.0.0.1:${calculatorPort}/mcp
        allowPrivateAddress: true
      - name: everything-mcp
        description: Every feature of MCP
        command: node
        args: ["\${env:${MODULES_VARIABLE}}/@modelcontextprotocol/server-everything/dist/index.js"]
  - name: dev-mcps
    servers:
      - name: broken-mcp
        command: no-such-program
      - ${memos}
models:
  providers:
    - { name: demo, type: demo }
policies:
  budgets: [{ name: probe-day, when: { metadata: { probe: "*" } }, limits: { tokens: 5000/day }, alerts: [1] }]
  approvals:
    - name: asked
      when: { tools: ["common:everything-mcp:echo"], condition: 'args.message.startsWith("ask:")' }
      fourEyes: false
      wait: 20s
      reason: It says so.
`;
}
