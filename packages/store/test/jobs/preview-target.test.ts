import { storedDeviceId, type Target } from '@muster/contract'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { previewTarget } from '../../src/jobs/start/preview-target.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { insertIdentities } from '../../src/registry/identities.ts'
import { openSession } from '../../src/sessions/sessions.ts'
import { deviceId, draft, givenGateway, givenModules } from '../fleet.ts'
import { givenJob, noon, openStore, start } from './engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
  const drafts = Array.from({ length: 130 }, (_, n) =>
    draft(`lift-${String(n).padStart(3, '0')}`, {
      status: n % 10 === 0 ? 'disabled' : 'enabled',
      tags: { floor: n % 5, half: n % 2 },
    }),
  )
  await insertIdentities(db, drafts, noon)
  await givenModules(db, { 'lift-001/door': { tags: { floor: 1 } } })
  const gatewayId = await givenGateway(db, 'gateway-1')
  for (const id of ['lift-000', 'lift-001', 'lift-006']) {
    await openSession(db, { identity: deviceId(id), gatewayId, clean: true }, noon)
  }
})
afterAll(() => store[Symbol.asyncDispose]())

function condition(queryCondition: string): Target {
  return { kind: 'condition', queryCondition }
}

describe('the preview of a target', () => {
  it('counts the devices of a condition, and shows the first in the order of their ids', async () => {
    const preview = await previewTarget(db, condition('tags.floor = 1'))

    expect(preview).toMatchObject({ deviceCount: 26, disabledCount: 0, disconnectedCount: 24, unknownCount: 0 })
    expect(preview.sample).toHaveLength(26)
    expect(preview.sample.slice(0, 3)).toEqual([
      { deviceId: 'lift-001', status: 'enabled', connectionState: 'Connected' },
      { deviceId: 'lift-006', status: 'enabled', connectionState: 'Connected' },
      { deviceId: 'lift-011', status: 'enabled', connectionState: 'Disconnected' },
    ])
  })

  it('shows 100 devices of however many', async () => {
    const { deviceCount, disabledCount, disconnectedCount, sample } = await previewTarget(db, condition('*'))

    expect([deviceCount, disabledCount, disconnectedCount]).toEqual([130, 13, 127])
    expect(sample.map((device) => device.deviceId)).toEqual(
      Array.from({ length: 100 }, (_, n) => `lift-${String(n).padStart(3, '0')}`),
    )
    expect(sample[0]).toEqual({ deviceId: 'lift-000', status: 'disabled', connectionState: 'Connected' })
  })

  it('counts each listed device once, and those that do not exist, too', async () => {
    const deviceIds = ['nobody', 'lift-000', 'lift-002', 'lift-000', 'Lift-002']

    expect(await previewTarget(db, { kind: 'devices', deviceIds })).toEqual({
      deviceCount: 4,
      disabledCount: 1,
      disconnectedCount: 1,
      unknownCount: 2,
      sample: [
        { deviceId: 'Lift-002', status: 'unknown' },
        { deviceId: 'lift-000', status: 'disabled', connectionState: 'Connected' },
        { deviceId: 'lift-002', status: 'enabled', connectionState: 'Disconnected' },
        { deviceId: 'nobody', status: 'unknown' },
      ],
    })
  })

  it('of nothing is all zeros', async () => {
    expect(await previewTarget(db, condition("deviceId = 'nobody'"))).toEqual({
      deviceCount: 0,
      disabledCount: 0,
      disconnectedCount: 0,
      unknownCount: 0,
      sample: [],
    })
  })

  it.each<Target>([
    condition('*'),
    condition("tags.half = 1 AND connectionState = 'Disconnected'"),
    condition("status = 'disabled' OR deviceId IN ['lift-001', 'lift-001/door']"),
    condition('is_defined(moduleId)'),
    { kind: 'devices', deviceIds: ['lift-003', 'nobody', 'lift-001', 'lift-003'] },
  ])('counts and names what a job with the same target freezes: %j', async (target) => {
    const preview = await previewTarget(db, target)
    const job = await givenJob(db, { target, queryCondition: 'queryCondition' in target ? target.queryCondition : '' })
    await start(db, job.key, { chunkSize: 7 })

    const frozen = await rows<{ device_id: string }>(
      db,
      sql`
      select unnest(device_ids) collate "C" as device_id from chunks where job_key = ${job.key} order by 1`,
    )
    expect(preview.deviceCount).toBe(frozen.length)
    expect(preview.sample.map((device) => storedDeviceId(device.deviceId))).toEqual(
      frozen.slice(0, 100).map((row) => row.device_id),
    )
  })
})
