import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** The variable by which the configuration of a test finds the servers in this repository's node_modules. */
export const MODULES_VARIABLE = 'TOOLGATE_TEST_MODULES';

/** Makes a workspace whose `toolgate.yaml` names real servers, and one that cannot start. */
export async function makeWorkspace(folder: string, calculatorPort: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'toolgate.yaml'), configuration(calculatorPort));
}

/** The calculator is the one that ships in the VSIX. */
function configuration(calculatorPort: number): string {
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
models:
  providers:
    - { name: demo, type: demo }
`;
}
