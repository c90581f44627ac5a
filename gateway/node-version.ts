/** The oldest Node with all that the program uses: `node:sqlite` without a flag, and what undici 8 needs. */
export const NODE_NEEDED = '22.19';

/**
 * Why the program cannot run on a Node of this version (`process.versions.node`) at this path, in one line that says
 * what to do; undefined where it can.
 */
export function nodeTooOld(version: string, execPath: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [neededMajor = 0, neededMinor = 0] = NODE_NEEDED.split('.').map(Number);
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return undefined;
  return `this is Node ${version} (${execPath}), and Toolgate needs Node ${NODE_NEEDED} or newer: install one from https://nodejs.org or with your version manager, and run the same again with it`;
}
