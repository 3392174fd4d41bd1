import { check, figure, print, printHead } from '../figures.ts'
import { loadFleet } from '../fleet.ts'
import { type BenchHub, startHub, withStores } from '../hub.ts'
import { type EndedJob, endedJobs, loadEndedJobs } from './ended-jobs.ts'

const barMs = 1000

/** What the API says about the devices of a large job: counts, failures, and all rows as a file. */
export async function benchRows(deviceCount: number): Promise<void> {
  await withStores(async ({ config, database }) => {
    await loadFleet(database, deviceCount)
    await loadEndedJobs(config.databaseUrl ?? '', database)
    await using hub = await startHub(config, ['api'])

    printHead(`GET /jobs/v2/{jobId}/failures, of ${deviceCount.toLocaleString('en')} devices`)
    for (const { id, name } of endedJobs) await benchFailures(hub, { id, name, deviceCount })
    printHead('GET /jobs/v2/{jobId}/devices, the first page with its counts')
    for (const { id, name } of endedJobs) {
      await figure(name, { runs: 5 }, () => hub.request('GET', `/jobs/v2/${id}/devices`))
    }
    await benchFile(hub, deviceCount)
  })
}

async function benchFailures(
  hub: BenchHub,
  { id, name, deviceCount }: Pick<EndedJob, 'id' | 'name'> & { readonly deviceCount: number },
): Promise<void> {
  const reply = await figure(name, { runs: 9, barMs }, () => hub.request('GET', `/jobs/v2/${id}/failures`))
  const { failedCount, groups, sampledCount } = JSON.parse(reply.text)
  const sum = groups.reduce((total: number, { count }: { count: number }) => total + count, 0)
  check(sum === failedCount, `the groups have ${sum} devices, and not ${failedCount}`)
  check(id === 'some' || failedCount === deviceCount, `${failedCount} devices failed, and not ${deviceCount}`)
  print(`  ${failedCount} failed, in ${groups.length} groups; the target set is known by ${sampledCount} devices`)
}

/**
 * The process also reads the file, so that its memory is that of the sender and of the reader. It is flat: after a tenth of the file it
 * is what it will be.
 */
async function benchFile(hub: BenchHub, deviceCount: number): Promise<void> {
  const startedAt = performance.now()
  const memory = { before: process.memoryUsage.rss(), early: 0, late: 0 }
  let [lines, bytes] = [0, 0]
  for await (const part of await hub.download('/jobs/v2/some/devices?format=csv')) {
    bytes += part.length
    for (const byte of part) if (byte === lineFeed) lines += 1
    const time = lines < deviceCount / 10 ? 'early' : 'late'
    memory[time] = Math.max(memory[time], process.memoryUsage.rss())
  }
  const seconds = (performance.now() - startedAt) / 1000
  check(lines === deviceCount + 1, `the file has ${lines} lines, and not ${deviceCount + 1}`)
  const rate = Math.round(deviceCount / seconds).toLocaleString('en')
  print('\nGET /jobs/v2/{jobId}/devices?format=csv')
  print(`  ${megabytes(bytes)} in ${seconds.toFixed(0)} s: ${rate} rows a second`)
  print(
    `  memory of the process: ${megabytes(memory.before)} before, ${megabytes(memory.early)} at most in the first tenth, ${megabytes(memory.late)} after it`,
  )
}

const lineFeed = 10

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
