import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type JobKey, parseDeviceId, parseJobId } from '@muster/contract'
import {
  type Connection,
  claimChunk,
  connect,
  type Db,
  findRoutes,
  insertJob,
  insertWorker,
  readCredentials,
  readRunningJob,
  startJob,
} from '@muster/store'
import { print } from './figures.ts'
import { loadTwins, withStores } from './hub.ts'
import { undone } from './undone.ts'

/** One connection, and the process of Postgres that serves it. */
interface Side {
  readonly connection: Connection
  readonly backendPid: number
}

interface Cpu {
  readonly clientUs: number
  readonly serverUs: number
}

const rounds = 12
const repetitions = 1_500

/**
 * The processor time of hot statements, in this process and in Postgres, planned once for each connection beside planned each time.
 * The two take turns, so that a busy moment of the machine falls on both.
 */
export async function benchStatements(deviceCount: number): Promise<void> {
  await withStores(async ({ config: { databaseUrl }, database }) => {
    if (databaseUrl === null) return
    await loadTwins(database, deviceCount, { deviceId: `'device-' || n`, columns: { version: '1' } })
    const url = databaseUrl
    const once = await openSide(url, true, database)
    const eachTime = await openSide(url, false, database)
    try {
      const statements = await hotStatements(once.connection.db, deviceCount)
      print(
        `\n${'CPU of one, client + Postgres'.padEnd(44)}${'each time'.padStart(18)}${'once'.padStart(18)}     ratio`,
      )
      for (const [name, work] of Object.entries(statements)) await compare(name, { once, eachTime }, work)
    } finally {
      await Promise.all([once.connection.close(), eachTime.connection.close()])
    }
  })
}

async function openSide(
  url: string,
  prepare: boolean,
  database: { unsafe(text: string): PromiseLike<readonly { readonly pid?: unknown }[]> },
): Promise<Side> {
  const connection = connect({ url: `${url}?application_name=bench-${prepare}`, poolSize: 1, prepare })
  await findRoutes(connection.db, [])
  const [found] = await database.unsafe(
    `select pid from pg_stat_activity where application_name like 'bench-${prepare}'`,
  )
  return { connection, backendPid: Number(found?.pid) }
}

/** Statements of a direct method on one device and on a hundred, and of a connection. None changes anything that stays. */
async function hotStatements(
  db: Db,
  deviceCount: number,
): Promise<Readonly<Record<string, (db: Db) => Promise<unknown>>>> {
  const device = parseDeviceId(`device-${Math.ceil(deviceCount / 2)}`)
  const hundred = Array.from({ length: 100 }, (_, index) => `device-${1 + index * Math.floor(deviceCount / 100)}`)
  const job = await givenRunningJob(db, 'bench', hundred)
  const limited = await givenRunningJob(db, 'limited', hundred)
  await db.execute(`update jobs set rate = 600000, max_in_flight = 1000 where job_key = ${limited}`)
  return {
    'findRoutes of 1 device': (on) => findRoutes(on, [device]),
    'findRoutes of 100 devices': (on) => findRoutes(on, hundred),
    readCredentials: (on) => readCredentials(on, [device]),
    'claim transaction': (on) => claimAndGiveBack(on, job),
    'the same of a job with limits': (on) => claimAndGiveBack(on, limited),
  }
}

async function givenRunningJob(db: Db, jobId: string, deviceIds: readonly string[]): Promise<JobKey> {
  const now = new Date()
  const request: Parameters<typeof insertJob>[1] = {
    jobId: parseJobId(jobId),
    type: 'scheduleDeviceMethod',
    target: { kind: 'devices', deviceIds: deviceIds.map(parseDeviceId) },
    queryCondition: '',
    body: {},
    startTime: null,
    maxExecutionTimeInSeconds: 3_600,
  }
  const job = await insertJob(db, request, now)
  assert(job !== null, 'the stores are new')
  await startJob(db, job.key, { maxRunningJobs: 2, chunkSize: () => 10 }, now)
  return job.key
}

async function claimAndGiveBack(db: Db, key: JobKey): Promise<void> {
  await undone(db, async (tx) => {
    const now = new Date()
    const job = await readRunningJob(tx, key)
    assert(job !== null, 'the job runs for an hour')
    await insertWorker(tx, { workerId: 'bench', leaseUntil: new Date(now.getTime() + 15_000) }, now)
    await claimChunk(tx, job, 'bench', now)
  })
}

async function compare(
  name: string,
  { once, eachTime }: { readonly once: Side; readonly eachTime: Side },
  work: (db: Db) => Promise<unknown>,
): Promise<void> {
  const totals = { once: { clientUs: 0, serverUs: 0 }, eachTime: { clientUs: 0, serverUs: 0 } }
  // The first round warms up: Postgres chooses its plan in the first executions.
  for (let round = 0; round <= rounds; round++) {
    for (const [side, total] of [[eachTime, totals.eachTime] as const, [once, totals.once] as const]) {
      const { clientUs, serverUs } = await cpuOf(side, work)
      if (round === 0) continue
      total.clientUs += clientUs / rounds
      total.serverUs += serverUs / rounds
    }
  }
  const cells = [totals.eachTime, totals.once].map(({ clientUs, serverUs }) =>
    `${clientUs.toFixed(0)} + ${serverUs.toFixed(0)} us`.padStart(18),
  )
  const sum = ({ clientUs, serverUs }: Cpu) => clientUs + serverUs
  print(`${name.padEnd(44)}${cells.join('')}     ${(sum(totals.once) / sum(totals.eachTime)).toFixed(2)}`)
}

async function cpuOf({ connection, backendPid }: Side, work: (db: Db) => Promise<unknown>): Promise<Cpu> {
  const serverBefore = onCpuNs(backendPid)
  const clientBefore = process.cpuUsage()
  for (let repetition = 0; repetition < repetitions; repetition++) await work(connection.db)
  const { user, system } = process.cpuUsage(clientBefore)
  return {
    clientUs: (user + system) / repetitions,
    serverUs: (onCpuNs(backendPid) - serverBefore) / 1_000 / repetitions,
  }
}

/** The time that a process has had a processor, as Linux counts it. */
function onCpuNs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0])
}
