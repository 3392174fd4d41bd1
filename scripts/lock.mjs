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
  if (status === 0 && leaveOutTypes(join(folder, lock))) status = install()
  if (status === 0) copyFileSync(join(folder, lock), join(root, lock))
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/**
 * What only a compiler reads has no place in production, and npm would install 33 MB of it there. valibot would like some TypeScript,
 * and drizzle-orm the types of two drivers: optional peers, which npm installs because we build and test with them. bl, mqtt and
 * others bring declarations as dependencies; those that we compile with are among our own. Returns whether the lock had any.
 */
function leaveOutTypes(path) {
  const content = JSON.parse(readFileSync(path, 'utf8'))
  let isChanged = false
  for (const name of ['valibot', 'drizzle-orm']) {
    const peer = content.packages[`node_modules/${name}`]
    if (peer?.peerDependencies === undefined) continue
    delete peer.peerDependencies
    delete peer.peerDependenciesMeta
    isChanged = true
  }
  for (const name of ['bl', 'mqtt']) {
    const { dependencies = {} } = content.packages[`node_modules/${name}`] ?? {}
    for (const types of Object.keys(dependencies).filter((dependency) => dependency.startsWith('@types/'))) {
      delete dependencies[types]
      isChanged = true
    }
  }
  if (isChanged) writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`)
  return isChanged
}
