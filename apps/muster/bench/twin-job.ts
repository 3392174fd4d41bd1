import { setTimeout as sleep } from 'node:timers/promises'
import type postgres from 'postgres'
import { check, print, seconds } from './figures.ts'
import { type BenchHub, loadTwins, startHub, withStores } from './hub.ts'

const chunkSize = 1000

/** What a job writes, and the least that it should reach of the bare UPDATE. */
const patches = [
  {
    name: 'tags and desired',
    patch: { tags: { serviced: true }, properties: { desired: { interval: 60, mode: 'eco' } } },
    bar: 0.5,
  },
  { name: 'desired', patch: { properties: { desired: { interval: 90, mode: 'eco' } } }, bar: 0.65 },
] as const

/**
 * Twin jobs over many twins, from their PUT to `completed`, on stores that keep their data. Before each a bare UPDATE of the same
 * twins, chunk by chunk, which no job can beat. Prints both, and their ratio. In the second round the pages of the table have the room
 * that jobs leave in them: a hub that has been in use looks like that.
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
    print(`twins               ${deviceCount.toLocaleString('en')}`)
    await using hub = await startHub(config)
    const jobs = ['just registered', 'in use'].flatMap((state) => patches.map((patch) => ({ state, ...patch })))
    for (const { state, name, patch, bar } of jobs) {
      const bareSeconds = await seconds(() => bareUpdate(database))
      await database`vacuum analyze twins`
      const { jobSeconds, statistics } = await runJob(hub, `${state} ${name}`.replaceAll(' ', '-'), patch)
      await database`vacuum analyze twins`

      const rate = (time: number) => `${Math.round(deviceCount / time).toLocaleString('en')} twins/s`
      print(`\n${name}, ${state}`)
      print(`bare UPDATE         ${bareSeconds.toFixed(2)} s   ${rate(bareSeconds)}`)
      print(`twin job            ${jobSeconds.toFixed(2)} s   ${rate(jobSeconds)}   PUT to completed, with metadata`)
      print(
        `ratio               ${(bareSeconds / jobSeconds).toFixed(2)}   (bar: ${bar.toFixed(2)} of the bare UPDATE)`,
      )
      print(`statistics          ${JSON.stringify(statistics)}`)
      check(statistics.succeededCount === deviceCount, 'the job has not succeeded on every device')
    }
  })
}

async function runJob(hub: BenchHub, jobId: string, patch: object) {
  const readJob = async () => JSON.parse((await hub.request('GET', `/jobs/v2/${jobId}`)).text)
  const jobSeconds = await seconds(async () => {
    await hub.request('PUT', `/jobs/v2/${jobId}`, {
      body: { type: 'scheduleUpdateTwin', queryCondition: 'tags.building = 43', updateTwin: { etag: '*', ...patch } },
    })
    while ((await readJob()).status !== 'completed') await sleep(50)
  })
  const { deviceJobStatistics: statistics } = await readJob()
  return { jobSeconds, statistics }
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
