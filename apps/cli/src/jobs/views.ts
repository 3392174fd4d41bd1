import type { DeviceJob, FailureGroup, Job, JobEvent, JobPreview } from '@muster/client'
import type { View } from '../output/format.ts'

export const jobView: View<Job> = {
  nameOf: ({ jobId }) => jobId,
  columns: [
    { head: 'JOB', of: ({ jobId }) => jobId },
    { head: 'TYPE', of: ({ type }) => type },
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'DEVICES', of: ({ deviceJobStatistics: counts }) => counts?.deviceCount },
    { head: 'SUCCEEDED', of: ({ deviceJobStatistics: counts }) => counts?.succeededCount },
    { head: 'FAILED', of: ({ deviceJobStatistics: counts }) => counts?.failedCount },
    { head: 'RUNNING', of: ({ deviceJobStatistics: counts }) => counts?.runningCount, isWide: true },
    { head: 'PENDING', of: ({ deviceJobStatistics: counts }) => counts?.pendingCount, isWide: true },
    { head: 'CANCELED', of: ({ deviceJobStatistics: counts }) => counts?.canceledCount, isWide: true },
    { head: 'SKIPPED', of: ({ deviceJobStatistics: counts }) => counts?.skippedCount, isWide: true },
    { head: 'START', of: ({ startTime }) => startTime },
    { head: 'END', of: ({ endTime }) => endTime },
    { head: 'WINDOW', of: ({ maxExecutionTimeInSeconds }) => `${maxExecutionTimeInSeconds} s`, isWide: true },
    { head: 'CONDITION', of: ({ queryCondition }) => queryCondition, isWide: true },
    { head: 'PAUSED', of: ({ pausedTime }) => pausedTime, isWide: true },
    { head: 'REASON', of: ({ failureReason, pauseReason }) => failureReason ?? pauseReason, isWide: true },
  ],
}

/** Of the answer to a new job, which says little. */
export const createdJobView: View<Pick<Job, 'jobId' | 'type' | 'status'>> = {
  nameOf: ({ jobId }) => jobId,
  columns: [
    { head: 'JOB', of: ({ jobId }) => jobId },
    { head: 'TYPE', of: ({ type }) => type },
    { head: 'STATUS', of: ({ status }) => status },
  ],
}

export const deviceJobView: View<DeviceJob> = {
  nameOf: ({ deviceId }) => deviceId,
  columns: [
    { head: 'DEVICE', of: ({ deviceId }) => deviceId },
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'CODE', of: ({ error, outcome }) => error?.code ?? outcome?.deviceMethodResponse?.status },
    { head: 'DESCRIPTION', of: ({ error, outcome }) => error?.description ?? payloadText(outcome) },
    { head: 'UPDATED', of: ({ lastUpdatedDateTimeUtc }) => lastUpdatedDateTimeUtc, isWide: true },
    { head: 'JOB', of: ({ jobId }) => jobId, isWide: true },
  ],
}

function payloadText(outcome: DeviceJob['outcome'] | undefined): string {
  const payload = outcome?.deviceMethodResponse?.payload
  return payload === undefined || payload === null ? '' : JSON.stringify(payload)
}

export const previewView: View<JobPreview['sample'][number]> = {
  nameOf: ({ deviceId }) => deviceId,
  columns: [
    { head: 'DEVICE', of: ({ deviceId }) => deviceId },
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'CONNECTION', of: ({ connectionState }) => connectionState },
  ],
}

const shownValuesMax = 3

export const failureView: View<FailureGroup> = {
  nameOf: ({ code }) => code,
  columns: [
    { head: 'COUNT', of: ({ count }) => count },
    { head: 'CODE', of: ({ code }) => code },
    { head: 'TEXT', of: ({ text }) => text },
    {
      head: 'MORE FREQUENT HERE',
      of: ({ overRepresented }) => overRepresented.slice(0, shownValuesMax).map(liftText).join(', '),
    },
    { head: 'SUCH AS', of: ({ sampleDeviceIds }) => sampleDeviceIds.slice(0, shownValuesMax).join(', ') },
  ],
}

function liftText({ path, value, share, targetShare }: FailureGroup['overRepresented'][number]): string {
  return `${path} = ${JSON.stringify(value)} (${percent(share)}, of all ${percent(targetShare)})`
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

export const eventView: View<JobEvent> = {
  nameOf: ({ eventId }) => eventId,
  columns: [
    { head: 'TIME', of: ({ time }) => time },
    { head: 'EVENT', of: ({ kind }) => kind },
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'DEVICES', of: ({ deviceCount }) => deviceCount },
    { head: 'WHO', of: ({ actor }) => actor ?? 'the hub' },
    { head: 'FROM', of: ({ clientAddress }) => clientAddress },
    { head: 'ID', of: ({ eventId }) => eventId, isWide: true },
  ],
}
