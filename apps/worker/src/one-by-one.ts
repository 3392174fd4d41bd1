import { randomUUID } from 'node:crypto'
import { trackingIdOf } from '@muster/contract'
import type { StoreOperation } from '@muster/operations'
import { type Hub, traceIdOf } from '@muster/runtime'
import { type Db, type Execution, isWorthRepeating, type LockedChunk } from '@muster/store'

/**
 * Carries out a chunk one device after the other, each in a savepoint, because the chunk as a whole has failed too often. A device on
 * which the work fails by itself is failed, and its error names the line of the log that has the reason.
 */
export async function executeOneByOne(
  { events }: Pick<Hub, 'events'>,
  operation: StoreOperation,
  { tx, chunk, now }: { readonly tx: Db; readonly chunk: LockedChunk; readonly now: Date },
): Promise<Execution> {
  const executions: Execution[] = []
  for (const deviceId of chunk.deviceIds) {
    const alone = { ...chunk, deviceIds: [deviceId] }
    try {
      executions.push(await tx.transaction((savepoint) => operation.execute(savepoint, alone, now)))
    } catch (error) {
      if (isWorthRepeating(error)) throw error
      const trackingId = trackingIdOf(randomUUID(), now)
      const { key: jobKey, traceparent } = chunk.job
      events.deviceJobFailed({ jobKey, deviceId, trackingId, traceId: traceIdOf(traceparent), error })
      const description = `The hub failed on this device. Its log has the reason, under the tracking id ${trackingId}.`
      executions.push({ failures: [{ deviceId, error: { code: 'ServerError', description } }], desired: [] })
    }
  }
  return {
    failures: executions.flatMap(({ failures }) => failures),
    skipped: executions.flatMap(({ skipped = [] }) => skipped),
    desired: executions.flatMap(({ desired }) => desired),
  }
}
