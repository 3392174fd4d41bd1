import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
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

const lock = join(root, 'package-lock.json')

/** npm leaves in node_modules a list of what it has installed. It holds all of the lock, but for packages of other platforms. */
function isInstalled() {
  try {
    const wanted = packagesIn(lock)
    const installed = packagesIn(join(root, 'node_modules', '.package-lock.json'))
    return Object.entries(wanted).every(
      ([path, { version, optional }]) =>
        !path.includes('node_modules/') || installed[path]?.version === version || (optional && !installed[path]),
    )
  } catch {
    return false
  }
}

function packagesIn(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages
}

async function install() {
  requireLock()
  // --include=dev: the compiler is one of those, also where NODE_ENV says production. No package needs its install script. Who
  // meets a registry that refuses hears of it after seconds: by itself npm would try for more than a minute.
  const retries = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=4000']
  const args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', ...retries]
  await step('Installing packages', 'npm', args, { reasonIn: reasonOfNpm })
}

/** The lock says of every package which version is installed: without it a new one could break any clone. */
function requireLock() {
  const mend = '"git checkout package-lock.json" brings it back'
  if (!existsSync(lock)) fail(`package-lock.json is missing: ${mend}`)
  const version = versionOf(readFileSync(lock, 'utf8'))
  if (version !== 3) fail(`package-lock.json has the lockfileVersion ${version}, expected 3: ${mend}`)
}

function versionOf(lock) {
  try {
    return JSON.parse(lock).lockfileVersion
  } catch {
    return 'of no JSON'
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

async function compile() {
  const turbo = join(root, 'node_modules', '.bin', 'turbo')
  const env = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', TURBO_UI: 'false' }
  await step('Building', turbo, ['run', 'build', '--output-logs=errors-only'], { env })
}

/** Runs a command on one line of progress; what it says is only of interest when it fails. */
async function step(label, command, args, { env = {}, reasonIn = () => undefined } = {}) {
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
  const text = Buffer.concat(output).toString()
  const reason = reasonIn(text)
  process.stderr.write(reason === undefined ? `failed\n${text}` : 'failed\n')
  fail(reason ?? `"${[command, ...args].join(' ')}" ${problem}`)
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
