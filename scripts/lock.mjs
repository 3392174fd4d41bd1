import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
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
  const { status } = spawnSync('npm', ['install', ...args], { cwd: folder, stdio: 'inherit' })
  if (status === 0) copyFileSync(join(folder, lock), join(root, lock))
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
