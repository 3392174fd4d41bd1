import { randomUUID } from 'node:crypto'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { signSasToken } from '@muster/auth'
import { removeDataDir, startLocalServices } from '@muster/local-services'
import { loadConfig, runRoles } from '@muster/runtime'
import postgres from 'postgres'
import { findPolicy, prepareDatabase } from '../src/database.ts'
import { roles } from '../src/roles.ts'

/**
 * A twin job over many twins, from its PUT to `completed`, on stores that keep their data; beside it a bare UPDATE of the
 * same twins, chunk by chunk, which no job can beat. Prints both, and their ratio.
 */
const { values } = parseArgs({ options: { devices: { type: 'string', default: '100000' } } })
const deviceCount = Number(values.devices)
const chunkSize = 500

const dataDir = join(tmpdir(), `muster-bench-${randomUUID()}`)
const services = await startLocalServices({ dataDir, durable: true })
try {
  await run(services.databaseUrl, services.redisUrl)
} finally {
  await services[Symbol.asyncDispose]()
  await removeDataDir(dataDir)
}

async function run(databaseUrl: string, redisUrl: string): Promise<void> {
  const environment = {
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    MUSTER_HTTPS_PORT: '0',
    MUSTER_HTTP_PORT: '0',
    MUSTER_MQTTS_PORT: '0',
    MUSTER_LOG_LEVEL: 'warn',
  }
  const config = loadConfig({ dataDir }, environment)
  await prepareDatabase(config)
  const database = postgres(databaseUrl, { max: 4, onnotice: () => {} })
  await loadTwins(database)
  const bareSeconds = await timed(() => bareUpdate(database))
  await database`vacuum analyze twins`

  const running = await runRoles(roles, config)
  const owner = await findPolicy(config, 'iothubowner')
  const token = signSasToken({
    resource: 'localhost',
    key: owner.primaryKey,
    policyName: owner.name,
    expiresAt: new Date(Date.now() + 3_600_000),
  })
  const request = async (method: string, path: string, body?: object) => {
    const response = await fetch(`http://127.0.0.1:${running.ports.http}${path}?api-version=2021-04-12`, {
      method,
      headers: { authorization: token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return JSON.parse(await response.text())
  }

  const jobSeconds = await timed(async () => {
    await request('PUT', '/jobs/v2/bench', {
      type: 'scheduleUpdateTwin',
      queryCondition: 'tags.building = 43',
      updateTwin: { etag: '*', tags: { serviced: true }, properties: { desired: { interval: 60, mode: 'eco' } } },
    })
    for (;;) {
      const job = await request('GET', '/jobs/v2/bench')
      if (job.status === 'completed') break
      await sleep(50)
    }
  })
  const { deviceJobStatistics } = await request('GET', '/jobs/v2/bench')
  await running.stop('the benchmark is over')
  await database.end()

  const rate = (seconds: number) => `${Math.round(deviceCount / seconds).toLocaleString('en')} twins/s`
  const lines = [
    `machine             ${cpus().length} x ${cpus()[0]?.model}, Node ${process.versions.node}`,
    `twins               ${deviceCount.toLocaleString('en')}`,
    `bare UPDATE         ${bareSeconds.toFixed(2)} s   ${rate(bareSeconds)}`,
    `twin job            ${jobSeconds.toFixed(2)} s   ${rate(jobSeconds)}   PUT to completed, tags and desired, with metadata`,
    `ratio               ${(bareSeconds / jobSeconds).toFixed(2)}   (bar: 0.33 of the bare UPDATE)`,
    `statistics          ${JSON.stringify(deviceJobStatistics)}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
  if (deviceJobStatistics.succeededCount !== deviceCount) process.exitCode = 1
}

async function loadTwins(database: postgres.Sql): Promise<void> {
  await database`
    insert into devices (device_id, generation_id, created_at)
    select 'bench-' || lpad(n::text, 8, '0'), '1', now() from generate_series(1, ${deviceCount}) as n`
  await database`
    insert into twins (device_id, tags, desired, reported)
    select device_id, '{"building": 43, "floor": 3}', '{"interval": 30}', '{"firmware": "1.0", "battery": 88}' from devices`
  await database`vacuum analyze devices, twins`
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

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return (performance.now() - startedAt) / 1000
}
