import { spawnSync } from 'node:child_process';
import { environment, ROOT } from './install.mjs';

/** `npm run soak -- 600`: starts, kills and restarts servers for so many seconds (five minutes by default). */
const seconds = process.argv[2] ?? '300';
const { status } = spawnSync('vitest', ['run', '--project', 'e2e', 'test/e2e/soak.test.ts'], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...environment(), SOAK_SECONDS: seconds },
  shell: process.platform === 'win32',
});
process.exit(status ?? 1);
