import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

/** What an install reads of a clone: the packages' own files, the lock and the scripts. */
let clone: string
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'muster-clone-'))
  for (const file of ['package.json', 'package-lock.json', 'scripts']) {
    cpSync(join(root, file), join(clone, file), { recursive: true })
  }
  const homes = ['packages', 'apps'].flatMap((home) => readdirSync(join(root, home)).map((name) => join(home, name)))
  for (const home of [...homes, 'deploy']) {
    const file = join(home, 'package.json')
    cpSync(join(root, file), join(clone, file))
  }
})
afterEach(() => rmSync(clone, { recursive: true, force: true }))

describe('npm start in a clone that cannot be installed says so in one line', () => {
  it('without a lock', () => {
    rmSync(join(clone, 'package-lock.json'))

    expect(start()).toEqual({
      status: 1,
      last: 'package-lock.json is missing: "git checkout package-lock.json" brings it back',
    })
  })

  it.each([
    ['{"lockfileVersion":1}', 'package-lock.json has the lockfileVersion 1, expected 3: '],
    ['<<<<<<< HEAD', 'package-lock.json has the lockfileVersion of no JSON, expected 3: '],
  ])('with the lock %s', (lock, complaint) => {
    writeFileSync(join(clone, 'package-lock.json'), lock)

    expect(start()).toEqual({ status: 1, last: `${complaint}"git checkout package-lock.json" brings it back` })
  })

  it('with a lock that does not fit the packages', () => {
    const file = join(clone, 'apps', 'api', 'package.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"hono": "[^"]*"/, '"hono": "1.0.0"'))

    expect(start()).toEqual({
      status: 1,
      last: 'package-lock.json does not fit the package.json files: "git checkout package-lock.json" brings it back, "npm run lock" renews it',
    })
  })

  it('on a Node that is too old', () => {
    const old = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '18.20.8' })`

    expect(start({ NODE_OPTIONS: `--import "${old}"` })).toEqual({
      status: 1,
      last: 'Muster needs Node 20.19 or later, this is 18.20.8: install a newer one (https://nodejs.org)',
    })
  })

  // Port 1 has no server.
  it.each([
    ['offline', { npm_config_registry: 'http://127.0.0.1:1' }, 'ECONNREFUSED'],
    ['told to stay offline, with an empty cache', { npm_config_offline: 'true' }, 'no cached response'],
  ])('%s', (_, settings, reason) => {
    const { status, last } = start(settings)

    expect(status).toBe(1)
    expect(last).toMatch(/^the package \S+ could not be fetched \(.*\): is this machine online\?$/)
    expect(last).toContain(reason)
  })
})

/** Runs it to its end. `last`: all that it says on its last line; a line before that may name the step that failed. */
function start(settings: NodeJS.ProcessEnv = {}): { status: number | null; last: string } {
  const { PATH = '', HOME = '' } = process.env
  const { status, stderr } = spawnSync(process.execPath, [join(clone, 'scripts', 'start.mjs')], {
    env: { PATH, HOME, npm_config_cache: join(clone, 'cache'), ...settings },
    encoding: 'utf8',
    timeout: 60_000,
  })
  const lines = stderr.trim().split('\n')
  expect(lines.length, stderr).toBeLessThanOrEqual(2)
  return { status, last: lines.at(-1) ?? '' }
}
