import { join } from 'node:path'
import { prepare, root } from './prepare.mjs'
import { runNode } from './run-node.mjs'

// npm test [-- ARGS]: all tests. npm run test:unit [-- ARGS]: those that need neither Postgres, Redis nor a build. ARGS go to vitest.
const [selection, ...rest] = process.argv.slice(2)
const isUnit = selection === 'unit'
// The fault tests kill real processes, which run what was built.
await prepare({ build: !isUnit })
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
runNode([vitest, 'run', ...(isUnit ? ['--project', 'unit', ...rest] : process.argv.slice(2))])
