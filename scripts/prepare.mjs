import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Plain JavaScript and nothing but Node: this runs before anything is installed.

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Brings a checkout, fresh or old, to where it can run: packages installed, and with `build` everything compiled. */
export async function prepare({ build }) {
  requireNode(20, 19)
  if (!isInstalled()) await install()
  if (build) await compile()
}

function requireNode(major, minor) {
  const [haveMajor, haveMinor] = process.versions.node.split('.').map(Number)
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return
  fail(
    `Muster needs Node ${major}.${minor} or later, this is ${process.versions.node}: install a newer one (https://nodejs.org)`,
  )
}

const stamp = join(root, 'node_modules', '.muster-installed')

function isInstalled() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === lockDigest()
}

async function install() {
  // --include=dev: the compiler is one of those, also where NODE_ENV says production. No package needs its install script.
  const args = ['install', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund']
  await step('Installing packages', 'npm', args)
  writeFileSync(stamp, lockDigest())
}

function lockDigest() {
  const lock = join(root, 'package-lock.json')
  return createHash('sha256')
    .update(existsSync(lock) ? readFileSync(lock) : '')
    .digest('hex')
}

async function compile() {
  const turbo = join(root, 'node_modules', '.bin', 'turbo')
  await step('Building', turbo, ['run', 'build', '--output-logs=errors-only'], {
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    TURBO_UI: 'false',
  })
}

/** Runs a command on one line of progress; what it says is only of interest when it fails. */
async function step(label, command, args, env = {}) {
  process.stderr.write(`${label} ... `)
  const startedAt = Date.now()
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = []
  child.stdout.on('data', (chunk) => output.push(chunk))
  child.stderr.on('data', (chunk) => output.push(chunk))
  const problem = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? `code ${code}`}`))
  })
  if (problem === undefined) {
    process.stderr.write(`${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`)
    return
  }
  process.stderr.write(`failed\n${Buffer.concat(output)}`)
  fail(`"${[command, ...args].join(' ')}" ${problem}`)
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
