import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { formatConnectionString } from '@muster/auth'
import type { Config } from '@muster/runtime'
import { findPolicy } from '../../src/database.ts'
import { writeHubFile } from '../../src/hub-file.ts'
import { check, figure, print, printHead, seconds } from '../figures.ts'
import { withStores } from '../hub.ts'
import { startApiProcess } from './api-process.ts'

const run = promisify(execFile)
const program = fileURLToPath(new URL('../../bin/muster.mjs', import.meta.url))
/** So long may a command take to be there. */
const startBarMs = 300
const importBarSeconds = 60

/** What a command costs before it does anything, and a file of all devices that is imported, and then found the same. */
export async function benchCommands(deviceCount: number): Promise<void> {
  printHead('start of the program')
  const node = { name: 'node -e ""', work: () => run(process.execPath, ['-e', '']) }
  await figure('muster job list --help', { runs: 10, baseline: node, barMs: startBarMs }, () =>
    run(process.execPath, [program, 'job', 'list', '--help']),
  )
  await withStores(async ({ config }) => {
    await using api = await startApiProcess(config)
    const home = await mkdtemp(join(tmpdir(), 'muster-bench-commands-'))
    try {
      await writeHubFile(home, await hubFileOf(config, api.httpPort))
      const file = await fleetFile(home, deviceCount)
      print('')
      await importFile(home, file, { created: deviceCount })
      await importFile(home, file, { same: deviceCount })
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })
}

async function importFile(home: string, file: string, expected: Readonly<Record<string, number>>): Promise<void> {
  let report = ''
  const took = await seconds(async () => {
    const words = ['device', 'import', file, '-o', 'json']
    report = (await run(process.execPath, [program, ...words], { env: { ...process.env, MUSTER_DATA_DIR: home } }))
      .stdout
  })
  for (const [name, count] of Object.entries(expected)) {
    check(JSON.parse(report)[name] === count, `${name} is not ${count}: ${report}`)
    const over = took > importBarSeconds ? `: over the bar of ${importBarSeconds} s` : ''
    const what = `muster device import, ${count.toLocaleString('en')} ${name}`
    print(`${what.padEnd(60)}${took.toFixed(1)} s${over}`)
  }
}

async function hubFileOf(config: Config, httpPort: number): Promise<Parameters<typeof writeHubFile>[1]> {
  const { name, primaryKey } = await findPolicy(config, 'iothubowner')
  const connectionString = formatConnectionString({
    hostName: 'localhost',
    sharedAccessKeyName: name,
    sharedAccessKey: primaryKey,
  })
  return { pid: process.pid, hostname: 'localhost', httpPort, httpsPort: 0, mqttsPort: 0, connectionString, caFile: '' }
}

async function fleetFile(folder: string, deviceCount: number): Promise<string> {
  const path = join(folder, 'fleet.ndjson')
  const file = createWriteStream(path)
  for (let no = 0; no < deviceCount; no++) {
    const tags = { building: no % 50, floor: no % 9, firmware: `1.2.${no % 7}` }
    const line = `${JSON.stringify({ id: `device-${no}`, tags, properties: { desired: { interval: 60 } } })}\n`
    if (!file.write(line)) await once(file, 'drain')
  }
  file.end()
  await once(file, 'finish')
  return path
}
