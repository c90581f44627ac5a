import { HOSTS, installHost } from './hosts.ts';
import type { HostName } from './hosts.ts';

/** `node test/vscode/install-host.ts [newest|oldest]…`: installs the named VS Code hosts, both by default. */
const wanted = process.argv.slice(2);
const names = wanted.length > 0 ? wanted : Object.keys(HOSTS);
for (const name of names) {
  if (name !== 'newest' && name !== 'oldest') throw new Error(`Unknown host "${name}": newest or oldest`);
  const host = await installHost(name satisfies HostName);
  console.log(`VS Code ${host.vscode}: ${host.server}`);
}
