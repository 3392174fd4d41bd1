import { createDatabase, findPgBouncer, type PgBouncer, startPgBouncer } from '@muster/testkit'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { prepareDatabase } from '../../src/database.ts'
import { startHub, type TestHub } from '../hub.ts'
import { ending, putJob, reaching } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'

const found = await findPgBouncer()
const reason = 'absent' in found ? found.absent : null
// The title of a skipped test is not shown everywhere.
if (reason !== null) process.stderr.write(`skipped: a hub behind PgBouncer: ${reason}\n`)

describe.skipIf(reason !== null)(
  `a hub behind ${'absent' in found ? `PgBouncer (skipped: ${reason})` : found.product}`,
  () => {
    let hub: TestHub
    let pgBouncer: PgBouncer

    beforeAll(async () => {
      if ('absent' in found) return
      hub = await startHub({
        settings: { MUSTER_PG_PREPARE: found.keepsNames ? 'on' : 'off' },
        reach: async (database) => {
          await elsewhere(database)
          pgBouncer = await startPgBouncer(found, database.href)
          return pgBouncer.port
        },
      })
    })
    afterAll(async () => {
      await hub[Symbol.asyncDispose]()
      await pgBouncer[Symbol.asyncDispose]()
    })

    it('C8 all roles serve devices and jobs through PgBouncer, which is killed and started again in the middle: nothing is lost', async () => {
      await using fleet = await givenFleet(hub, {
        count: 200,
        prefix: 'pooled',
        tags: { site: 'pooled' },
        behaviour: { latencyMs: [100, 3_000] },
      })
      await fleet.connect()

      await putJob(hub, 'pooled-method', {
        type: 'scheduleDeviceMethod',
        queryCondition: "tags.site = 'pooled'",
        cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 20 },
      })
      await reaching(hub, 'pooled-method', 'succeededCount', 50)
      await pgBouncer.kill()
      await pgBouncer.start()
      await putJob(hub, 'pooled-twin', {
        type: 'scheduleUpdateTwin',
        queryCondition: "tags.site = 'pooled'",
        updateTwin: { etag: '*', tags: { site: 'pooled', visited: true } },
      })
      const ended = await Promise.all(['pooled-method', 'pooled-twin'].map((jobId) => ending(hub, jobId)))

      const statistics = { deviceCount: 200, succeededCount: 200, failedCount: 0, runningCount: 0, pendingCount: 0 }
      expect(ended).toMatchObject([
        { status: 'completed', deviceJobStatistics: statistics },
        { status: 'completed', deviceJobStatistics: statistics },
      ])
      expect(fleet.methodCallCount).toBe(200)
    })

    it('C8 times are those of UTC, though the database is elsewhere', async () => {
      const before = Date.now()
      await putJob(hub, 'pooled-time', {
        type: 'scheduleUpdateTwin',
        queryCondition: "tags.site = 'none'",
        updateTwin: { etag: '*', tags: { visited: true } },
      })

      const { endTime = '' } = await ending(hub, 'pooled-time')

      expect(Math.abs(Date.parse(endTime) - before)).toBeLessThan(60_000)
    })

    it('C8 many processes bring a database up to date through PgBouncer at once, and one of them does it', async () => {
      await using database = await createDatabase(inject('databaseUrl'))
      const pooled = new URL(database.url)
      pooled.port = String(pgBouncer.port)

      const done = await Promise.all(
        Array.from({ length: 4 }, () => prepareDatabase({ databaseUrl: pooled.href, policies: [] })),
      )

      expect(done.filter(({ migrations }) => migrations.length > 0)).toHaveLength(1)
    })
  },
)

/** A time zone that is not UTC, for all sessions that do not ask for another. */
async function elsewhere(database: URL): Promise<void> {
  const admin = postgres(database.href, { max: 1, onnotice: () => {} })
  await admin`alter database ${admin(database.pathname.slice(1))} set timezone to 'Asia/Tokyo'`
  await admin.end()
}
