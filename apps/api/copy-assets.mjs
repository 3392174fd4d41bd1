import { cpSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

// The package holds 12 MB, of which the reference page serves these. So it is needed to build, and not to run.
const assets = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']

const from = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
const to = join(import.meta.dirname, 'dist', 'assets')
mkdirSync(to, { recursive: true })
for (const name of assets) cpSync(join(from, name), join(to, name))
cpSync(join(import.meta.dirname, 'browser'), to, { recursive: true })
