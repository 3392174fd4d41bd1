import { type ErrorName, type Job, jsonText } from '@muster/contract'
import type { DeviceOutcome } from '../../src/jobs/record-attempts.ts'
import type { Db } from '../../src/postgres/sql.ts'
import { claimed, givenRunningJob, noon, recordFirstAttempts } from '../jobs/engine.ts'

/** A running job of 60 devices in six chunks: answered, failed, waiting, partly recorded, claimed, and untouched. */
export async function givenOutcomes(db: Db): Promise<Job> {
  const job = await givenRunningJob(db, { devices: 60, chunkSize: 10 })
  const record = async (outcomeOf: (deviceId: string, index: number) => DeviceOutcome | null) => {
    const claim = await claimed(db, job.key)
    const outcomes = claim.deviceIds.map(outcomeOf).filter((outcome) => outcome !== null)
    await recordFirstAttempts(db, claim, outcomes, noon)
  }
  await record(answered)
  await record((deviceId, index) => failed(deviceId, index < 4 ? 'GatewayTimeout' : 'GenericBadGateway'))
  await record((deviceId, index) => ({ deviceId, status: 'pending', dueAt: null, isUnknown: index % 3 === 0 }))
  await record((deviceId, index) => (index < 5 ? failed(deviceId, 'GatewayTimeout') : null))
  await claimed(db, job.key)
  return job
}

function answered(deviceId: string): DeviceOutcome {
  return { deviceId, status: 'completed', response: jsonText({ status: 200, payload: null }) }
}

function failed(deviceId: string, code: ErrorName): DeviceOutcome {
  return { deviceId, status: 'failed', error: { code, description: `text of ${code}` } }
}
