import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Quickstart, startQuickstart } from './quickstart.ts'

let hub: Quickstart
/** Another terminal, in another folder, which knows nothing of the hub's settings. */
const { PATH = '', HOME = '' } = process.env
let terminal: { cwd: string; env: { PATH: string; HOME: string } }

beforeAll(async () => {
  hub = await startQuickstart({ MUSTER_DATA_DIR: join(tmpdir(), `muster test ${process.pid}'s`) })
  terminal = { cwd: await mkdtemp(join(tmpdir(), 'muster-elsewhere-')), env: { PATH, HOME } }
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(terminal.cwd, { recursive: true })
})

it('the line that prints a token works in any folder', async () => {
  const { stdout } = await promisify(execFile)('sh', ['-c', printed(/^ .*muster\.mjs'? token$/m)], terminal)

  expect(stdout).toMatch(/^SharedAccessSignature /)
  expect((await hub.request('GET', '/twins/unknown', undefined, stdout.trim())).status).toBe(404)
})

it('the line that simulates devices works in any folder', async () => {
  const simulator = spawn('sh', ['-c', printed(/^ .*muster\.mjs'? simulate .*$/m)], {
    ...terminal,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = new Promise<string>((resolve) => {
    let text = ''
    for (const stream of [simulator.stdout, simulator.stderr])
      stream.on('data', (chunk) => {
        text += chunk
        if (text.includes('50 connected')) resolve(text)
      })
    simulator.once('close', () => resolve(text))
  })

  expect(await output).toContain('50 connected')
  // The shell and what it has started.
  if (simulator.pid !== undefined) process.kill(-simulator.pid, 'SIGINT')
})

function printed(line: RegExp): string {
  const [found = 'false'] = line.exec(hub.output()) ?? []
  return found.trim()
}
