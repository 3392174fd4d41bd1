import { isDeepStrictEqual } from 'node:util'
import type { DeviceJobRow, JobReply, TwinReply } from './api-calls.ts'
import type { DemoDevice } from './demo-fleet.ts'

/** The differences between the target and the expected effect of the twin job. Empty: none. */
export function judgeTwinJob(
  target: readonly DemoDevice[],
  patch: { readonly tags: object; readonly desired: object },
  found: { job: JobReply; rows: readonly DeviceJobRow[]; twins: readonly TwinReply[] },
): string[] {
  return [
    ...judgeJob('twin job', found.job, { succeeded: target.length, failed: 0 }),
    ...judgeRows('twin job', target, found.rows, () => 'completed'),
    ...target.flatMap(({ deviceId }) => {
      const twin = found.twins.find((candidate) => candidate.deviceId === deviceId)
      if (twin === undefined) return [`twin of ${deviceId}: not found by the query`]
      return [
        ...lacking(`tags of ${deviceId}`, twin.tags, patch.tags),
        ...lacking(`desired properties of ${deviceId}`, twin.properties.desired, patch.desired),
      ]
    }),
  ]
}

/** The connected devices whose reported properties do not show the desired ones yet. */
export function notCaughtUp(target: readonly DemoDevice[], desired: object, twins: readonly TwinReply[]): string[] {
  return target
    .filter(({ behaviour }) => !behaviour.offline)
    .flatMap(({ deviceId }) => {
      const twin = twins.find((candidate) => candidate.deviceId === deviceId)
      return lacking(`reported properties of ${deviceId}`, twin?.properties.reported ?? {}, desired)
    })
}

/** The differences between the results and the expected results of the method job. Empty: none. */
export function judgeMethodJob(
  target: readonly DemoDevice[],
  found: { job: JobReply; rows: readonly DeviceJobRow[] },
): string[] {
  const failed = target.filter(({ behaviour }) => behaviour.silent || behaviour.offline).length
  return [
    ...judgeJob('method job', found.job, { succeeded: target.length - failed, failed }),
    ...judgeRows('method job', target, found.rows, ({ behaviour }) => {
      if (behaviour.offline) return 'failed JobRunPreconditionFailed'
      if (behaviour.silent) return 'failed GatewayTimeout'
      return `completed ${behaviour.status}`
    }),
  ]
}

function judgeJob(name: string, job: JobReply, expected: { succeeded: number; failed: number }): string[] {
  const deviceCount = expected.succeeded + expected.failed
  // Devices of the user may match too. Only the rows of the demo devices can be judged.
  if ((job.deviceJobStatistics?.deviceCount ?? 0) > deviceCount)
    return differing(`status of the ${name}`, job.status, 'completed')
  const statistics = {
    deviceCount,
    succeededCount: expected.succeeded,
    failedCount: expected.failed,
    runningCount: 0,
    pendingCount: 0,
  }
  return [
    ...differing(`status of the ${name}`, job.status, 'completed'),
    ...differing(`statistics of the ${name}`, job.deviceJobStatistics, statistics),
  ]
}

function judgeRows(
  name: string,
  target: readonly DemoDevice[],
  rows: readonly DeviceJobRow[],
  expected: (device: DemoDevice) => string,
): string[] {
  return [
    ...differing(`number of device jobs of the ${name}`, rows.length, target.length),
    ...target.flatMap((device) => {
      const row = rows.find(({ deviceId }) => deviceId === device.deviceId)
      return differing(`${name} on ${device.deviceId}`, row && resultOf(row), expected(device))
    }),
  ]
}

function resultOf({ status, outcome, error }: DeviceJobRow): string {
  const code = error?.code ?? outcome.deviceMethodResponse?.status
  return code === undefined ? status : `${status} ${code}`
}

function lacking(what: string, section: Readonly<Record<string, unknown>>, expected: object): string[] {
  return Object.entries(expected).flatMap(([member, value]) =>
    differing(`${member} in ${what}`, section[member], value),
  )
}

function differing(what: string, found: unknown, expected: unknown): string[] {
  if (isDeepStrictEqual(found, expected)) return []
  return [`${what}: expected ${JSON.stringify(expected)}, found ${JSON.stringify(found) ?? 'nothing'}`]
}
