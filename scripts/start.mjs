import { join } from 'node:path'
import { prepare, root } from './prepare.mjs'
import { runNode } from './run-node.mjs'

// npm start [-- --once | --no-demo]: everything from a fresh checkout to a running hub.
await prepare({ build: true })
runNode([join(root, 'apps', 'muster', 'dist', 'main.js'), 'quickstart', ...process.argv.slice(2)], { channel: true })
