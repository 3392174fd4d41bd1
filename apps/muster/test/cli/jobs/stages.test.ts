import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { ending, putJob } from '../../jobs.ts'
import { registered } from '../../simulated.ts'
import { type Muster, openMuster, rowsOf } from '../muster.ts'

let hub: TestHub
let muster: Muster
beforeAll(async () => {
  hub = await startHub()
  muster = await openMuster(hub)
  await registered(hub, { count: 4, prefix: 'lamp', tags: {} })
  await putJob(hub, 'staged', {
    type: 'scheduleUpdateTwin',
    queryCondition: '*',
    updateTwin: { etag: '*', tags: { seen: true } },
    rollout: { stages: [{ size: 1, approval: 'manual' }, {}] },
  })
})
afterAll(async () => {
  await muster[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

describe('R27 R28 muster job stages and next', () => {
  it('show the stages, and open the next one', async () => {
    const stages = await eventually(async () => {
      const found = await muster.json(['job', 'stages', 'staged'])
      expect(found).toMatchObject([{ waitsFor: { kind: 'approval' } }, { status: 'waiting' }])
      return rowsOf((await muster.run(['job', 'stages', 'staged'])).stdout)
    })
    const next = await muster.run(['job', 'next', 'staged', '-o', 'name'])
    const { deviceJobStatistics: counts } = await ending(hub, 'staged')

    expect(stages).toEqual([
      ['STAGE', 'STATUS', 'DEVICES', 'SUCCEEDED', 'FAILED', 'OPENED', 'WAITS FOR', 'WHY'],
      ['0', 'open', '1', '1', '0', expect.any(String), 'approval', expect.stringMatching(/^1 of 1 devices of stage 0/)],
      ['1', 'waiting', '3', '0', '0'],
    ])
    expect(next).toEqual({ code: 0, stdout: '0\n1\n', stderr: '' })
    expect(counts).toMatchObject({ deviceCount: 4, succeededCount: 4 })
  })

  it('R122 and job why tells what holds the job, and a device of it', async () => {
    await putJob(hub, 'held-back', {
      type: 'scheduleUpdateTwin',
      queryCondition: '*',
      updateTwin: { etag: '*', tags: { again: true } },
      rollout: { stages: [{ size: 1, approval: 'manual' }, {}], order: 'id' },
    })
    const job = await eventually(async () => {
      const { stdout } = await muster.run(['job', 'why', 'held-back'])
      expect(stdout).toContain('waits for somebody to open the next stage')
      return rowsOf(stdout)
    })
    const device = await muster.run(['job', 'why', 'held-back', '--device-id', 'lamp-0003', '-o', 'name'])
    const unknown = await muster.run(['job', 'why', 'held-back', '--device-id', 'nobody'])

    expect(job).toEqual([
      ['REASON', 'DEVICES', 'UNTIL', 'WHY'],
      ['stage', '3', expect.stringMatching(/^Stage 0 is the last open one/)],
    ])
    expect(device).toEqual({ code: 0, stdout: 'stage\n', stderr: '' })
    expect(unknown.stderr).toContain('The job held-back is not for the device nobody, or has not started')
  })

  it('tell why there is no next one', async () => {
    await ending(hub, 'staged')

    const { code, stderr } = await muster.run(['job', 'next', 'staged'])

    expect(code).not.toBe(0)
    expect(stderr).toContain('The job is completed, not running.')
  })
})
