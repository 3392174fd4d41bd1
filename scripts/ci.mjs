import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepare, root } from './prepare.mjs'

// npm run ci: every check, also after one has failed; the last line counts tests and checks together.
const folder = mkdtempSync(join(tmpdir(), 'muster-ci-'))
// Not inside: Postgres' own user must be able to enter it.
const dataDir = `${folder}-hub`
// As root the stores run as another user, who must be able to pass through.
chmodSync(folder, 0o711)
const report = join(folder, 'vitest.json')

const steps = [
  ['lint', 'npm', ['run', 'lint']],
  ['types', 'npm', ['run', 'typecheck']],
  ['tests', 'npm', ['test', '--', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`]],
  ['compose', 'bash', ['-c', 'exec "$(.ci/compose-plugin)" --file docker-compose.yml config --quiet']],
  ['quickstart', 'npm', ['start', '--', '--once'], { MUSTER_DATA_DIR: dataDir }],
]

const changedBefore = changedFiles()
await prepare({ build: true })
const results = steps.map(([name, command, args, env]) => {
  process.stdout.write(`\n== ${name}\n`)
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } })
  if (status !== 0) printLog(env)
  return { name, outcome: status === 0 ? 'passed' : 'failed' }
})
results.push({ name: 'clean', outcome: changedFiles() === changedBefore ? 'passed' : 'failed' })

const tests = countTests()
const count = (outcome) => results.filter((result) => result.outcome === outcome).length
const failed = count('failed') + tests.failed
process.stdout.write(`\n${results.map(({ name, outcome }) => `${name} ${outcome}`).join(', ')}\n`)
process.stdout.write(`${count('passed') + tests.passed} passed, ${failed} failed\n`)
for (const made of [folder, dataDir]) rmSync(made, { recursive: true, force: true })
process.exitCode = failed === 0 ? 0 : 1

/** What git sees that is not committed: none of the steps may change a file of the checkout. */
function changedFiles() {
  return spawnSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' }).stdout
}

/** The last lines of the log that the hub of a step has left in its data folder. */
function printLog({ MUSTER_DATA_DIR: folder } = {}) {
  const log = folder === undefined ? undefined : join(folder, 'hub.log')
  if (log === undefined || !existsSync(log)) return
  process.stdout.write(`${readFileSync(log, 'utf8').trim().split('\n').slice(-50).join('\n')}\n`)
}

function countTests() {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'))
    return { passed: numPassedTests, failed: numFailedTests }
  } catch {
    return { passed: 0, failed: 0 }
  }
}
