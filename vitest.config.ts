import { defineConfig } from 'vitest/config'

// Node and Vite add "import" or "require" themselves; named here, "import" would be forced on packages that require others.
const conditions = ['muster:source', 'node']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  environments: { __vitest__: { resolve: { conditions } } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          // Importing a file has no effect here, so that test files may share one module graph: a third of the time.
          isolate: false,
          include: [
            '{packages,apps}/*/src/**/*.test.ts',
            'apps/muster/test/{architecture,documents,pictures,spec}/**/*.test.ts',
          ],
          // Thousands of made inputs take seconds, and longer on a busy machine.
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'services',
          include: ['{packages,apps}/*/test/**/*.test.ts'],
          exclude: ['apps/muster/test/{architecture,deploy,documents,pictures,spec}/**'],
          globalSetup: ['packages/testkit/src/services.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'deploy',
          include: ['deploy/test/**/*.test.ts', 'apps/muster/test/deploy/**/*.test.ts'],
          globalSetup: ['packages/testkit/src/services.ts'],
          // They start compilers and servers; the first run fetches the programs that check what is here.
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
