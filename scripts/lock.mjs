import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from './prepare.mjs'

// npm run lock: brings package-lock.json up to date with the package.json files. It works in a folder where nothing is installed:
// beside an installed tree npm writes down the binaries of this platform alone, and "npm ci" then refuses the lock elsewhere.
const lock = 'package-lock.json'
const folder = mkdtempSync(join(tmpdir(), 'muster-lock-'))
try {
  const workspaces = ['packages', 'apps']
    .flatMap((home) => readdirSync(join(root, home)).map((name) => join(home, name)))
    .concat('deploy')
    .map((home) => join(home, 'package.json'))
  for (const file of ['package.json', '.npmrc', lock, ...workspaces].filter((file) => existsSync(join(root, file)))) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    copyFileSync(join(root, file), join(folder, file))
  }
  const args = ['--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund']
  const install = () => spawnSync('npm', ['install', ...args], { cwd: folder, stdio: 'inherit' }).status
  let status = install()
  // What npm has written about the others follows from it, so it has to write that again.
  if (status === 0 && leaveOutCompiler(join(folder, lock))) status = install()
  if (status === 0) copyFileSync(join(folder, lock), join(root, lock))
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/**
 * valibot works without TypeScript, and says that it would like some: an optional peer. Because we build with TypeScript, npm would then
 * install it in production too, 30 MB of it. Returns whether the lock had it.
 */
function leaveOutCompiler(path) {
  const content = JSON.parse(readFileSync(path, 'utf8'))
  const peer = content.packages['node_modules/valibot']
  if (peer?.peerDependencies === undefined) return false
  delete peer.peerDependencies
  delete peer.peerDependenciesMeta
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`)
  return true
}
