import { defineConfig } from 'vitest/config';

const project = (
  name: string,
  include: string[],
  { testTimeout, maxWorkers }: { testTimeout: number; maxWorkers: number },
) => ({
  test: {
    ...{ name, include, testTimeout, hookTimeout: 60_000, maxWorkers, environment: 'node' },
    // What is waited for comes soon, or late on a busy machine; a second is vitest's own patience.
    expect: { poll: { timeout: 10_000 } },
    setupFiles: ['test/support/properties.ts'],
    globalSetup: ['test/support/temp-folder.ts'],
  },
});

/** `unit` runs on the sources; `e2e` and `browser` run the built program. */
export default defineConfig({
  test: {
    projects: [
      project('unit', ['test/unit/**/*.test.ts'], { testTimeout: 10_000, maxWorkers: 2 }),
      project('e2e', ['test/e2e/**/*.test.ts'], { testTimeout: 30_000, maxWorkers: 2 }),
      project('browser', ['test/browser/**/*.test.ts'], { testTimeout: 90_000, maxWorkers: 2 }),
    ],
  },
});
