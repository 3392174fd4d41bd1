import assert from 'node:assert/strict'
import { parseJobId } from '@muster/contract'
import { connect, type Db, insertJob, readJobFigures, readLoad, readWorkFigures, startJob } from '@muster/store'
import { figure, printHead } from './figures.ts'
import { loadTwins, withStores } from './hub.ts'

const runs = 20
/** Many times the cost of the statement below must fit into the seconds between two readings. */
const barMs = 250

/**
 * What the figures about the work of the hub cost Postgres, while a job over all devices has just started: every chunk is ready, so that
 * their bounds are reached.
 */
export async function benchLoad(deviceCount: number): Promise<void> {
  await withStores(async ({ config: { databaseUrl }, database }) => {
    if (databaseUrl === null) return
    await loadTwins(database, deviceCount, { deviceId: `'device-' || n`, columns: { version: '1' } })
    const { db, close } = connect({ url: databaseUrl, poolSize: 1 })
    try {
      await startOverAll(db, { jobId: 'all', chunkSize: 100 })
      const baseline = { name: 'select 1', work: () => database`select 1` }
      printHead(`one job over ${deviceCount} devices, in chunks of 100`)
      const measure = (name: string, read: () => Promise<unknown>) => figure(name, { runs, baseline, barMs }, read)
      await measure('readLoad: /internal/scaling', () => readLoad(db, new Date()))
      await measure('readWorkFigures: muster_work', () => readWorkFigures(db, new Date()))
      await measure('readJobFigures: muster_jobs', () => readJobFigures(db, new Date()))
    } finally {
      await close()
    }
  })
}

/** A method job over all devices, as if dispatchers had started it. */
export async function startOverAll(
  db: Db,
  { jobId, chunkSize }: { readonly jobId: string; readonly chunkSize: number },
): Promise<void> {
  const now = new Date()
  const job = await insertJob(
    db,
    {
      jobId: parseJobId(jobId),
      type: 'scheduleDeviceMethod',
      target: { kind: 'condition', queryCondition: '*' },
      queryCondition: '*',
      body: {},
      startTime: null,
      maxExecutionTimeInSeconds: 3_600,
    },
    now,
  )
  assert(job !== null, 'the stores are new')
  await startJob(db, job.key, { maxRunningJobs: 1_000, chunkSize: () => chunkSize }, now)
}
