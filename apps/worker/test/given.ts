import { type Extensions, parseJobId } from '@muster/contract'
import {
  connect,
  type Db,
  insertJob,
  isNotNow,
  migrate,
  type NotNow,
  type RunningJob,
  readRunningJob,
  startJob,
} from '@muster/store'
import { createDatabase, templateDatabase } from '@muster/testkit'
import postgres from 'postgres'
import { inject, onTestFinished } from 'vitest'
import { cutBefore } from './cut.ts'

export const noon = new Date('2026-03-02T12:00:00Z')

/** A database, its address through something that cuts, and around it. */
export async function givenPostgres() {
  const template = await templateDatabase(inject('databaseUrl'), 'migrated', migrate)
  const database = await createDatabase(inject('databaseUrl'), { template })
  const cut = await cutBefore(database.url)
  const connection = connect({ url: cut.url, poolSize: 4 })
  const direct = connect({ url: database.url, poolSize: 4 })
  const sql = postgres(database.url, { max: 1, onnotice: () => {} })
  onTestFinished(async () => {
    await sql.end()
    await direct.close()
    await connection.close()
    await cut[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
  })
  return { cut, db: connection.db, direct: direct.db, sql }
}

export interface JobSize {
  readonly jobId?: string
  readonly devices: number
  readonly chunkSize: number
  readonly abort?: Extensions['abort']
}

/** A running method job. */
export async function givenJob(db: Db, { jobId = 'job', devices, chunkSize, abort }: JobSize): Promise<RunningJob> {
  const job = await insertJob(
    db,
    {
      jobId: parseJobId(jobId),
      type: 'scheduleDeviceMethod',
      target: { kind: 'devices', deviceIds: Array.from({ length: devices }, (_, no) => `device-${no}`) },
      body: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 30 },
      startTime: null,
      maxExecutionTimeInSeconds: 3600,
      queryCondition: '*',
      ...(abort === undefined ? {} : { extensions: { abort } }),
    },
    noon,
  )
  await startJob(db, given(job).key, { maxRunningJobs: 2, chunkSize: () => chunkSize }, noon)
  return given(await readRunningJob(db, given(job).key))
}

export function given<Value>(value: Value | null): Value {
  if (value === null) throw new Error('it is not there')
  return value
}

/** What came of a claim of a job without limits. */
export function permitted<Claimed extends object>(claimed: Claimed | NotNow | null): Claimed | null {
  if (claimed !== null && isNotNow(claimed)) throw new Error(`not now, but in ${claimed.waitMs} ms`)
  return claimed
}
