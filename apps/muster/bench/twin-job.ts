import { setTimeout as sleep } from 'node:timers/promises'
import type postgres from 'postgres'
import { check, print, seconds } from './figures.ts'
import { loadTwins, startHub, withStores } from './hub.ts'

const chunkSize = 500

/**
 * A twin job over many twins, from its PUT to `completed`, on stores that keep their data; beside it a bare UPDATE of the
 * same twins, chunk by chunk, which no job can beat. Prints both, and their ratio.
 */
export async function benchTwinJob(deviceCount: number): Promise<void> {
  await withStores(async ({ config, database }) => {
    await loadTwins(database, deviceCount, {
      deviceId: `'bench-' || lpad(n::text, 8, '0')`,
      columns: {
        tags: `'{"building": 43, "floor": 3}'::jsonb`,
        desired: `'{"interval": 30}'::jsonb`,
        reported: `'{"firmware": "1.0", "battery": 88}'::jsonb`,
      },
    })
    const bareSeconds = await seconds(() => bareUpdate(database))
    await database`vacuum analyze twins`

    await using hub = await startHub(config)
    const readJob = async () => JSON.parse((await hub.request('GET', '/jobs/v2/bench')).text)
    const jobSeconds = await seconds(async () => {
      await hub.request('PUT', '/jobs/v2/bench', {
        body: {
          type: 'scheduleUpdateTwin',
          queryCondition: 'tags.building = 43',
          updateTwin: { etag: '*', tags: { serviced: true }, properties: { desired: { interval: 60, mode: 'eco' } } },
        },
      })
      while ((await readJob()).status !== 'completed') await sleep(50)
    })
    const { deviceJobStatistics } = await readJob()

    const rate = (time: number) => `${Math.round(deviceCount / time).toLocaleString('en')} twins/s`
    print(`twins               ${deviceCount.toLocaleString('en')}`)
    print(`bare UPDATE         ${bareSeconds.toFixed(2)} s   ${rate(bareSeconds)}`)
    print(
      `twin job            ${jobSeconds.toFixed(2)} s   ${rate(jobSeconds)}   PUT to completed, tags and desired, with metadata`,
    )
    print(`ratio               ${(bareSeconds / jobSeconds).toFixed(2)}   (bar: 0.33 of the bare UPDATE)`)
    print(`statistics          ${JSON.stringify(deviceJobStatistics)}`)
    check(deviceJobStatistics.succeededCount === deviceCount, 'the job has not succeeded on every device')
  })
}

/** What cannot be beaten: a constant written to each twin, in chunks of the same size, by as many connections as workers use. */
async function bareUpdate(database: postgres.Sql): Promise<void> {
  const rows = await database<{ ids: string[] }[]>`
    select array_agg(device_id) as ids
      from (select device_id, (row_number() over (order by device_id) - 1) / ${chunkSize}::int as chunk from twins) as t
     group by chunk order by chunk`
  const next = rows.values()
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (const { ids } of next) {
        await database`update twins set version = version + 1 where device_id = any(${ids})`
      }
    }),
  )
}
