import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { removeDataDir } from '@muster/local-services'
import { eventually } from '@muster/testkit'
import { afterAll, afterEach, expect, inject, it } from 'vitest'

/** What `npm start` runs: processes of their own, on stores of their own. */
const script = fileURLToPath(new URL('../../../../scripts/start.mjs', import.meta.url))
const dataDir = join(tmpdir(), `muster-test-${randomUUID()}`)
const hubFile = join(dataDir, 'hub.json')
const started: ChildProcess[] = []

afterEach(async () => {
  for (const child of started.splice(0)) await end(child, 'SIGTERM')
})
afterAll(() => removeDataDir(dataDir))

it('a started hub serves until Ctrl-C, and the next start finds its data', async () => {
  const first = await start()
  await ready()
  const caFile = readHub().caFile
  const ca = readFileSync(caFile, 'utf8')
  const firstCode = await end(first.child, 'SIGINT')
  const isRemoved = !existsSync(hubFile)

  const second = await start()
  await ready()
  const caAgain = readFileSync(caFile, 'utf8')
  const secondCode = await end(second.child, 'SIGINT')

  expect([firstCode, isRemoved, secondCode]).toEqual([0, true, 0])
  expect(caAgain).toBe(ca)
}, 180_000)

it('a second start on the same data folder is refused in one line', async () => {
  await start()
  await ready()

  const second = await start()
  const [code] = await once(second.child, 'exit')

  expect(code).toBe(1)
  expect(second.lastError()).toMatch(/^muster: .*already running, pid \d+/)
}, 180_000)

it('a hub whose parent was killed ends by itself, and the next one starts', async () => {
  const first = await start()
  await ready()
  const { pid } = readHub()
  await end(first.child, 'SIGKILL')
  await eventually(() => expect(isAlive(pid)).toBe(false), { timeoutMs: 30_000 })

  const second = await start()
  await ready()

  expect(await end(second.child, 'SIGINT')).toBe(0)
}, 180_000)

it('a port that is in use is an error of one line', async () => {
  const port = new URL(inject('redisUrl')).port

  const hub = await start({ MUSTER_HTTP_PORT: port })
  const [code] = await once(hub.child, 'exit')

  expect(code).toBe(1)
  expect(hub.lastError()).toMatch(new RegExp(`^muster: .*${port}`))
}, 180_000)

async function start(settings: Readonly<Record<string, string>> = {}) {
  const { PATH = '', HOME = '' } = process.env
  const ports = { MUSTER_HTTPS_PORT: '0', MUSTER_HTTP_PORT: '0', MUSTER_MQTTS_PORT: '0' }
  const child = spawn(process.execPath, [script, '--no-demo'], {
    env: { PATH, HOME, MUSTER_DATA_DIR: dataDir, ...ports, ...settings },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  started.push(child)
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  return { child, lastError: () => errors.trim().split('\n').at(-1) ?? '' }
}

/** hub.json is written when the hub serves. */
async function ready(): Promise<void> {
  await eventually(() => expect(existsSync(hubFile)).toBe(true), { timeoutMs: 90_000 })
}

function readHub(): { pid: number; caFile: string } {
  return JSON.parse(readFileSync(hubFile, 'utf8'))
}

/** Its exit code. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal)
    await once(child, 'exit')
  }
  return child.exitCode
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
