import { join } from 'node:path'
import { prepare, root } from './prepare.mjs'
import { runNode } from './run-node.mjs'

// npm run bench [-- --devices N]: figures of this machine, as ratios to what cannot be beaten on it.
await prepare({ build: true })
runNode(['--import', 'tsx', join(root, 'apps', 'muster', 'bench', 'twin-job.ts'), ...process.argv.slice(2)])
