import { defineConfig } from 'vitest/config';

const project = (
  name: string,
  include: string[],
  { testTimeout, maxWorkers, retry = 0 }: { testTimeout: number; maxWorkers: number; retry?: number },
) => ({
  test: {
    ...{ name, include, testTimeout, hookTimeout: 60_000, maxWorkers, retry, environment: 'node' },
    setupFiles: ['test/support/properties.ts'],
    globalSetup: ['test/support/temp-folder.ts'],
  },
});

/** In CI, what starts processes and browsers is tried once more when it fails; the report says which was. */
const retry = process.env['CI'] === undefined ? 0 : 1;

/** `unit` runs on the sources; `e2e` and `browser` run the built program, a browser at a time. */
export default defineConfig({
  test: {
    projects: [
      project('unit', ['test/unit/**/*.test.ts'], { testTimeout: 10_000, maxWorkers: 2 }),
      project('e2e', ['test/e2e/**/*.test.ts'], { testTimeout: 30_000, maxWorkers: 2, retry }),
      project('browser', ['test/browser/**/*.test.ts'], { testTimeout: 90_000, maxWorkers: 1, retry }),
    ],
  },
});
