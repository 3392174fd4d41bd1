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
  const { firstPackage } = readLock()
  // --include=dev: the compiler is one of those, also where NODE_ENV says production. No package needs its install script.
  const retries = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=4000']
  // One package first, so that who is offline hears of it after seconds. "npm ci" tells of it only when it has failed with every
  // package: without a name server after two minutes.
  const commands = [
    ['npm', 'view', firstPackage, 'version', ...retries],
    ['npm', 'ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', ...retries],
  ]
  await step('Installing packages', commands, { reasonIn: reasonOfNpm })
  writeFileSync(stamp, lockDigest())
}

/** The lock says of every package which version is installed: without it a new one could break any clone. */
function readLock() {
  const home = 'node_modules/'
  const file = join(root, 'package-lock.json')
  const mend = '"git checkout package-lock.json" brings it back'
  if (!existsSync(file)) fail(`package-lock.json is missing: ${mend}`)
  const { lockfileVersion, packages = {} } = parseLock(readFileSync(file, 'utf8'))
  if (lockfileVersion !== 3) fail(`package-lock.json has the lockfileVersion ${lockfileVersion}, expected 3: ${mend}`)
  const path = Object.keys(packages).find((path) => path.startsWith(home) && !packages[path].link)
  if (path === undefined) fail(`package-lock.json names no package: ${mend}`)
  return { firstPackage: path.slice(home.length) }
}

function parseLock(text) {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return { lockfileVersion: 'of no JSON' }
  }
}

/** What npm says of a failure that the user can mend, in one line; undefined for any other. */
function reasonOfNpm(output) {
  const [, url, reason] = /request to (\S+) failed(?:, reason)?: ([^\n]*)/.exec(output) ?? []
  if (url !== undefined)
    return `the package ${packageIn(url)} could not be fetched (${reason}): is this machine online?`
  if (!output.includes('code EUSAGE')) return undefined
  return 'package-lock.json does not fit the package.json files: "git checkout package-lock.json" brings it back, "npm run lock" renews it'
}

/** Of `https://registry/@scope%2fname/-/name-1.0.0.tgz`: `@scope/name`. */
function packageIn(url) {
  const [path = ''] = decodeURIComponent(new URL(url).pathname).split('/-/')
  return path.replace(/^\//, '')
}

function lockDigest() {
  const lock = join(root, 'package-lock.json')
  return createHash('sha256')
    .update(existsSync(lock) ? readFileSync(lock) : '')
    .digest('hex')
}

async function compile() {
  const turbo = join(root, 'node_modules', '.bin', 'turbo')
  const env = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', TURBO_UI: 'false' }
  await step('Building', [[turbo, 'run', 'build', '--output-logs=errors-only']], { env })
}

/** Runs commands, one after the other, on one line of progress; what they say is only of interest when one fails. */
async function step(label, commands, { env = {}, reasonIn = () => undefined } = {}) {
  process.stderr.write(`${label} ... `)
  const startedAt = Date.now()
  for (const command of commands) {
    const { problem, text } = await run(command, env)
    if (problem === undefined) continue
    const reason = reasonIn(text)
    process.stderr.write(reason === undefined ? `failed\n${text}` : 'failed\n')
    fail(reason ?? `"${command.join(' ')}" ${problem}`)
  }
  process.stderr.write(`${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`)
}

/** What a command said, and the problem if it did not end well. */
async function run([program, ...args], env) {
  const child = spawn(program, args, { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = []
  child.stdout.on('data', (chunk) => output.push(chunk))
  child.stderr.on('data', (chunk) => output.push(chunk))
  const problem = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message))
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : `ended with ${signal ?? `code ${code}`}`))
  })
  return { problem, text: Buffer.concat(output).toString() }
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
