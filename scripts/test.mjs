import { join } from 'node:path'
import { prepare, root } from './prepare.mjs'
import { runNode } from './run-node.mjs'

// npm test [-- ARGS]: all tests. npm run test:unit [-- ARGS]: those that need neither Postgres, Redis nor a build. npm run
// test:long [-- ARGS]: the random and the crowded ones alone, with so many cases that it takes a while. npm run test:deploy
// [-- ARGS]: those of the files for production. npm run pictures: draws the dashboards of docs/pictures. ARGS go to vitest.

/** Cases, histories, requests and devices. The same variables change those of the other two, and these, too. */
const longRuns = {
  MUSTER_TEST_DIFFERENTIAL_CASES: '500000',
  MUSTER_TEST_MODEL_RUNS: '20000',
  MUSTER_TEST_FUZZ_RUNS: '20000',
  MUSTER_TEST_FUZZ_SECONDS: '60',
  MUSTER_TEST_CANARY_RUNS: '10',
  MUSTER_TEST_RECONNECTS: '5000',
}
const longTests = [
  'packages/query/test/differential.test.ts',
  'packages/query/test/groups.test.ts',
  'packages/query/test/metamorphic.test.ts',
  'packages/store/test/jobs/engine-model.test.ts',
  'packages/store/test/postgres/driver-canary.test.ts',
  'apps/api/test/queries/query-fuzz.test.ts',
  'apps/api/test/queries/query-fuzz-rows.test.ts',
  'apps/api/test/http/http-fuzz.test.ts',
  'apps/gateway/test/mqtt/fuzz.test.ts',
  'apps/muster/test/fault/reconnect.test.ts',
]

const selections = {
  unit: { build: false, args: ['--project', 'unit'], env: {} },
  deploy: { build: true, args: ['--project', 'deploy'], env: {} },
  long: { build: true, args: ['--project', 'services', ...longTests], env: longRuns },
  pictures: { build: true, args: ['--config', 'vitest.pictures.config.ts'], env: {} },
  // The fault tests start real processes, which run what was built.
  all: { build: true, args: [], env: {} },
}
const [first, ...rest] = process.argv.slice(2)
const isNamed = ['unit', 'deploy', 'long', 'pictures'].includes(first)
const { build, args, env } = isNamed ? selections[first] : selections.all

await prepare({ build })
for (const [name, value] of Object.entries(env)) process.env[name] ??= value
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
runNode([vitest, 'run', ...args, ...(isNamed ? rest : process.argv.slice(2))])
