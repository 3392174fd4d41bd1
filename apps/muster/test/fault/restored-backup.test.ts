import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type LocalServices, removeDataDir, startLocalServices } from '@muster/local-services'
import { createFleet, type FleetOptions } from '@muster/simulator'
import postgres from 'postgres'
import { expect, it, onTestFinished } from 'vitest'
import { prepareDatabase } from '../../src/database.ts'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { deviceRows, ending, putJob, reaching } from '../jobs.ts'
import { registered } from '../simulated.ts'

const run = promisify(execFile)

const count = 60
const jobIds = ['goes-on', 'cancelled'] as const

it('J25 after a restore to a point in the middle of jobs, what was called before that point is not called again, and a job that is cancelled before the workers start calls nobody', async () => {
  const lost = await givenServices(newDataDir())
  await prepareDatabase({ databaseUrl: lost.databaseUrl, policies: [] })
  const hub = await startHub({ settings: settingsOf(lost) })
  const fleets = await Promise.all(jobIds.map((jobId) => registered(hub, { count, prefix: jobId, ...tagged(jobId) })))
  const first = await callsOf(fleets, hub)
  await Promise.all(jobIds.map((jobId) => putJob(hub, jobId, methodJob(jobId))))

  await Promise.all(jobIds.map((jobId) => reaching(hub, jobId, 'succeededCount', 8)))
  await using backup = await startBackup(lost.databaseUrl, lost.cluster)
  const calledBefore = [...first.calls]
  const restoredDir = await backup.until('mid-job')
  await Promise.all(jobIds.map((jobId) => reaching(hub, jobId, 'succeededCount', 30)))
  await backup.addLog(restoredDir)
  await first.disconnect()
  await hub[Symbol.asyncDispose]()

  const restored = await givenServices(restoredDir)
  const apiAlone = await startHub({ settings: settingsOf(restored), roles: roles.filter(({ name }) => name === 'api') })
  const found = await reaching(apiAlone, 'goes-on', 'succeededCount', 8)
  const cancelled = await apiAlone.request('POST', '/jobs/v2/cancelled/cancel')
  await apiAlone[Symbol.asyncDispose]()
  await using again = await startHub({ settings: settingsOf(restored) })
  const second = await callsOf(fleets, again)
  const ended = await Promise.all(jobIds.map((jobId) => ending(again, jobId)))
  await second.disconnect()

  expect(found).toMatchObject({ status: 'running' })
  expect(cancelled.status).toBe(200)
  expect(ended).toMatchObject([{ status: 'completed' }, { status: 'cancelled' }])
  expect(second.calls.filter((deviceId) => calledBefore.includes(deviceId))).toEqual([])
  expect(second.calls.filter((deviceId) => deviceId.startsWith('cancelled'))).toEqual([])
  // The backup does not know of these calls: the document says so.
  expect(second.calls.filter((deviceId) => first.calls.includes(deviceId)).length).toBeGreaterThan(0)
  // What was under way at the restore point ended as what it is: not known.
  const failed = await deviceRows(again, "jobId = 'goes-on' AND status = 'failed'")
  expect(failed).toEqual(Array.from(Object.keys(Object(failed)), () => expect.objectContaining(unknownOutcome)))
}, 240_000)

const unknownOutcome = { error: expect.objectContaining({ code: 'DeviceConnectionClosedRemotely' }) }

function tagged(site: string) {
  return { tags: { site }, behaviour: { latencyMs: [300, 800] } } as const
}

function methodJob(site: string) {
  return {
    type: 'scheduleDeviceMethod',
    queryCondition: `tags.site = '${site}'`,
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 10 },
  }
}

/** Slow enough that there is a middle. */
function settingsOf({ databaseUrl, redisUrl }: LocalServices) {
  const throttle = JSON.stringify({ jobDeviceOperations: '10/s' })
  return { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, MUSTER_THROTTLE: throttle }
}

/** Connects the devices to the hub, and lists those that it calls. */
async function callsOf(fleets: readonly FleetOptions[], { ca, mqttsPort }: TestHub) {
  const calls: string[] = []
  const connected = fleets.map((options) =>
    createFleet({ ...options, ca, mqttsPort, onMethod: (deviceId) => calls.push(deviceId) }),
  )
  await Promise.all(connected.map((fleet) => fleet.connect()))
  return { calls, disconnect: () => Promise.all(connected.map((fleet) => fleet[Symbol.asyncDispose]())) }
}

function newDataDir(): string {
  return join(tmpdir(), `muster-test-${randomUUID()}`)
}

/** A Postgres and an empty Redis; the cluster is the one of the folder, if it has one. */
async function givenServices(dataDir: string) {
  const services = await startLocalServices({ dataDir, durable: true })
  onTestFinished(async () => {
    await services[Symbol.asyncDispose]()
    await removeDataDir(dataDir)
  })
  return { ...services, cluster: join(dataDir, 'postgres') }
}

/**
 * A base backup and the log after it, as for a recovery to a point in time. `pg_basebackup` does the same from another machine.
 */
async function startBackup(databaseUrl: string, cluster: string) {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  await sql`select pg_backup_start('test', fast => true)`
  return {
    /** Ends the base backup, names the point, and returns a data folder that recovers to it once it has the log. */
    async until(point: string): Promise<string> {
      const dataDir = newDataDir()
      const copy = join(dataDir, 'postgres')
      await mkdir(dataDir, { mode: 0o755 })
      // Files may vanish meanwhile: the log knows of it.
      await run('cp', ['-a', cluster, copy]).catch(() => undefined)
      await rm(join(copy, 'postmaster.pid'))
      const [stopped] = await sql`select labelfile from pg_backup_stop()`
      // Not before: a recovery reaches no point that lies within its backup.
      await sql`select pg_create_restore_point(${point})`
      await writeFile(join(copy, 'backup_label'), stopped?.labelfile)
      await writeFile(join(copy, 'recovery.signal'), '')
      await run('chown', ['-R', `--reference=${cluster}`, copy])
      await appendFile(
        join(copy, 'postgresql.auto.conf'),
        `restore_command = 'cp "${dataDir}/log/%f" "%p"'\nrecovery_target_name = '${point}'\nrecovery_target_action = 'promote'\n`,
      )
      return dataDir
    },
    /** The log until now. */
    addLog: (dataDir: string) => run('cp', ['-a', join(cluster, 'pg_wal'), join(dataDir, 'log')]),
    [Symbol.asyncDispose]: () => sql.end(),
  }
}
