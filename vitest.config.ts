import { defineConfig } from 'vitest/config';

const project = (name: string, include: string[], testTimeout: number, maxWorkers: number) => ({
  test: { name, include, testTimeout, hookTimeout: 60_000, maxWorkers, environment: 'node' },
});

/** `unit` runs on the sources; `e2e` and `browser` run the built program, a browser at a time. */
export default defineConfig({
  test: {
    projects: [
      project('unit', ['test/unit/**/*.test.ts'], 10_000, 2),
      project('e2e', ['test/e2e/**/*.test.ts'], 30_000, 2),
      project('browser', ['test/browser/**/*.test.ts'], 90_000, 1),
    ],
  },
});
