import { join } from 'node:path'
import { prepare, root } from './prepare.mjs'
import { runNode } from './run-node.mjs'

// npm run bench [-- name ... --devices N]: figures of this machine, as ratios to what cannot be beaten on it.
await prepare({ build: true })
runNode(['--import', 'tsx', join(root, 'apps', 'muster', 'bench', 'main.ts'), ...process.argv.slice(2)])
