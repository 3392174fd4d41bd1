import assert from 'node:assert/strict'
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type Db, pollJobEvents, readJobCounts } from '@muster/store'
import type postgres from 'postgres'
import { check, figure, print, printHead } from '../figures.ts'
import { loadTwins, ownerToken, withStores } from '../hub.ts'
import { startOverAll } from '../load.ts'
import { startApiProcess } from './api-process.ts'

const listeners = 1_000
/** Two heartbeats are in it. */
const seconds = 30
/** Of a core: the rest is for requests. */
const bar = 0.2

/**
 * The processor time of an API process to which 1,000 listen: half of them to one job, half to all. At first nothing happens; then a job
 * over all devices makes progress all the time, so that its statistics change with each reading. Then what a reading takes.
 */
export async function benchListeners(deviceCount: number): Promise<void> {
  await withStores(async ({ config, database }) => {
    if (config.databaseUrl === null) return
    await loadTwins(database, deviceCount, { deviceId: `'device-' || n`, columns: { version: '1' } })
    const { db, close } = connect({ url: config.databaseUrl, poolSize: 1 })
    await using api = await startApiProcess(config)
    try {
      await startOverAll(db, { jobId: 'watched', chunkSize: 1_000 })
      const audience = await listen(api.httpPort, await ownerToken(config))
      print(`listeners           ${listeners.toLocaleString('en')}, half of them to one job`)
      await share('nothing happens', api, audience, async () => {})
      await share('a job makes progress', api, audience, () => progress(database))
      audience.leave()
      await measureReadings(db)
    } finally {
      await close()
    }
  })
}

/** Ten devices end, in a chunk that has some left. */
async function progress(database: postgres.Sql): Promise<void> {
  await database`
    update chunks set succeeded = succeeded + 10
     where (week, job_key, chunk_no) in (
       select week, job_key, chunk_no from chunks where succeeded + 10 <= device_count limit 1)`
}

interface Audience {
  /** Bytes that all of them have got. */
  bytes(): number
  leave(): void
}

async function listen(httpPort: number, authorization: string): Promise<Audience> {
  let bytes = 0
  const answers: IncomingMessage[] = []
  for (let no = 0; no < listeners; no++) {
    const path = no % 2 === 0 ? '/jobs/v2/watched/events' : '/jobs/v2/events'
    const url = `http://127.0.0.1:${httpPort}${path}?api-version=2021-04-12`
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      get(url, { agent: false, headers: { authorization } }, resolve).on('error', reject)
    })
    assert(answer.statusCode === 200, `the stream answered ${answer.statusCode}`)
    answer.on('data', (piece: Buffer) => (bytes += piece.length)).on('error', () => {})
    answers.push(answer)
  }
  // Until each has what was before.
  await sleep(3_000)
  return {
    bytes: () => bytes,
    leave: () => {
      for (const answer of answers) answer.destroy()
    },
  }
}

/** Does the work ten times a second, and prints which part of a core the API used meanwhile. */
async function share(
  name: string,
  api: { cpuSeconds(): Promise<number> },
  audience: Audience,
  work: () => Promise<void>,
): Promise<void> {
  const [cpuBefore, bytesBefore, startedMs] = [await api.cpuSeconds(), audience.bytes(), performance.now()]
  while (performance.now() - startedMs < seconds * 1_000) {
    await work()
    await sleep(100)
  }
  const elapsed = (performance.now() - startedMs) / 1_000
  const used = ((await api.cpuSeconds()) - cpuBefore) / elapsed
  const perSecond = (audience.bytes() - bytesBefore) / elapsed / listeners
  const over = used > bar ? `: over the bar of ${100 * bar} %` : ''
  print(
    `${name.padEnd(28)}${(100 * used).toFixed(1).padStart(6)} % of a core, ${perSecond.toFixed(0)} bytes/s each${over}`,
  )
  check(perSecond > 0, 'the listeners hear nothing')
}

async function measureReadings(db: Db): Promise<void> {
  printHead('a reading, twice in a second')
  const runs = 40
  await figure('events: none is new', { runs }, () => pollJobEvents(db, { after: 1_000_000, limit: 1_000 }))
  const counts = () => readJobCounts(db, { keys: [], runningLimit: 100 })
  await figure('statistics of one job', { runs }, counts)
  for (let no = 1; no < 100; no++) await startOverAll(db, { jobId: `more-${no}`, chunkSize: 1_000 })
  const read = await figure('statistics of 100 jobs over all devices', { runs }, counts)
  check(read.length === 100, `${read.length} jobs were read, and not 100`)
}
