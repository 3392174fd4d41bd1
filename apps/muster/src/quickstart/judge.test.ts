import { expect, it } from 'vitest'
import type { DeviceJobRow, JobReply, TwinReply } from './api-calls.ts'
import { type DemoDevice, demoFleet, targetOf } from './demo-fleet.ts'
import { judgeMethodJob, judgeTwinJob, notCaughtUp } from './judge.ts'

const target = targetOf(demoFleet())
const patch = { tags: { release: 'r1' }, desired: { firmware: { version: '2' } } }

function job(succeededCount: number, failedCount: number, status = 'completed'): JobReply {
  const deviceCount = succeededCount + failedCount
  return { status, deviceJobStatistics: { deviceCount, succeededCount, failedCount, runningCount: 0, pendingCount: 0 } }
}

function updated({ deviceId }: DemoDevice): DeviceJobRow {
  return { deviceId, status: 'completed', outcome: {} }
}

function called({ deviceId, behaviour }: DemoDevice): DeviceJobRow {
  const failure = { offline: 'JobRunPreconditionFailed', silent: 'GatewayTimeout' } as const
  const fault = behaviour.offline ? 'offline' : behaviour.silent ? 'silent' : null
  if (fault !== null) {
    return { deviceId, status: 'failed', outcome: {}, error: { code: failure[fault], description: 'why' } }
  }
  return {
    deviceId,
    status: 'completed',
    outcome: { deviceMethodResponse: { status: behaviour.status, payload: null } },
  }
}

function twinOf({ deviceId, behaviour }: DemoDevice): TwinReply {
  const reported = behaviour.offline ? {} : patch.desired
  return { deviceId, tags: { building: 43, ...patch.tags }, properties: { desired: patch.desired, reported } }
}

it('finds nothing wrong with a twin job that did what it must', () => {
  const found = { job: job(40, 0), rows: target.map(updated), twins: target.map(twinOf) }

  expect(judgeTwinJob(target, patch, found)).toEqual([])
  expect(notCaughtUp(target, patch.desired, found.twins)).toEqual([])
})

it('finds a twin that lacks its tag', () => {
  const twins = target.map((device, index) => ({ ...twinOf(device), ...(index === 0 ? { tags: {} } : {}) }))

  const differences = judgeTwinJob(target, patch, { job: job(40, 0), rows: target.map(updated), twins })

  expect(differences).toEqual(['release in tags of demo-043: expected "r1", found nothing'])
})

it('finds a connected device that has not reported', () => {
  const twins = target.map((device, index) => {
    const twin = twinOf(device)
    return index === 0 ? { ...twin, properties: { ...twin.properties, reported: {} } } : twin
  })

  expect(notCaughtUp(target, patch.desired, twins)).toEqual([
    'firmware in reported properties of demo-043: expected {"version":"2"}, found nothing',
  ])
})

it('finds nothing wrong with a method job whose faults are those of the fleet', () => {
  expect(judgeMethodJob(target, { job: job(38, 2), rows: target.map(called) })).toEqual([])
})

it('finds wrong statistics', () => {
  expect(judgeMethodJob(target, { job: job(39, 1), rows: target.map(called) })).toEqual([
    expect.stringMatching(/^statistics of the method job: expected .*"succeededCount":38.*found .*"succeededCount":39/),
  ])
})

it('finds a device that ended otherwise than it must', () => {
  const rows = target.map((device, index) => (index === 0 ? updated(device) : called(device)))

  expect(judgeMethodJob(target, { job: job(38, 2), rows })).toEqual([
    'method job on demo-043: expected "completed 200", found "completed"',
  ])
})
