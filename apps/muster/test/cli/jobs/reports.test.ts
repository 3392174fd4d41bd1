import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { ending, putJob } from '../../jobs.ts'
import { registered } from '../../simulated.ts'
import { type Muster, openMuster, rowsOf } from '../muster.ts'
import { openStandIn } from '../stand-in.ts'

let hub: TestHub
let muster: Muster
beforeAll(async () => {
  hub = await startHub()
  muster = await openMuster(hub)
  await registered(hub, { count: 3, prefix: 'lamp', tags: { firmware: '1.2' } })
  await putJob(hub, 'mixed', {
    type: 'scheduleUpdateTwin',
    deviceIds: ['lamp-0000', 'lamp-0001', 'lamp-0002', 'nobody'],
    updateTwin: { etag: '*', tags: { seen: true } },
  })
  await ending(hub, 'mixed')
})
afterAll(async () => {
  await muster[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

const read = async (path: string) => (await hub.request('GET', path)).text()
const get = async (path: string) => JSON.parse(await read(path))

describe('muster job devices', () => {
  it('lists what came of the job on each device, as the API does', async () => {
    expect(await muster.json(['job', 'devices', 'mixed'])).toEqual((await get('/jobs/v2/mixed/devices')).items)
    expect(rowsOf((await muster.run(['job', 'devices', 'mixed'])).stdout)).toEqual([
      ['DEVICE', 'STATUS', 'CODE', 'DESCRIPTION'],
      ['lamp-0000', 'completed'],
      ['lamp-0001', 'completed'],
      ['lamp-0002', 'completed'],
      ['nobody', 'failed', 'DeviceNotFound', expect.any(String)],
    ])
  })

  it('takes filters', async () => {
    const names = async (...filter: readonly string[]) =>
      (await muster.run(['job', 'devices', 'mixed', ...filter, '-o', 'name'])).stdout

    expect(await names('--status', 'failed')).toBe('nobody\n')
    expect(await names('--error-code', 'DeviceNotFound,GatewayTimeout')).toBe('nobody\n')
    expect(await names('-d', 'lamp-0001')).toBe('lamp-0001\n')
    expect(await names('--status', 'completed', '--top', '2')).toBe('lamp-0000\nlamp-0001\n')
  })
})

describe('muster job failures', () => {
  it('groups them, as the API does', async () => {
    expect(await muster.json(['job', 'failures', 'mixed'])).toEqual(await get('/jobs/v2/mixed/failures'))
    const [head, row] = rowsOf((await muster.run(['job', 'failures', 'mixed', '--tags', 'firmware'])).stdout)
    expect(head).toEqual(['COUNT', 'CODE', 'TEXT', 'MORE FREQUENT HERE', 'SUCH AS'])
    expect(row).toEqual(['1', 'DeviceNotFound', expect.any(String), 'nobody'])
  })
})

describe('muster job history', () => {
  it('tells who asked for the job, and from where', async () => {
    expect(await muster.json(['job', 'history', 'mixed'])).toEqual(await get('/jobs/v2/mixed/history'))
    const rows = rowsOf((await muster.run(['job', 'history', 'mixed'])).stdout)
    expect(rows[1]).toEqual([expect.any(String), 'created', 'policy:iothubowner', '127.0.0.1'])
    expect(rows.at(-1)).toEqual([expect.any(String), 'ended', 'completed', '4', 'the hub'])
  })
})

describe('muster job export', () => {
  it('ends with 1 and one line when its connection is cut', async () => {
    await using other = await openStandIn(hub, (_, response) =>
      response.writeHead(200).write('deviceId,status\n', () => response.destroy()),
    )

    expect(await other.muster.run(['job', 'export', 'mixed'])).toEqual({
      code: 1,
      stdout: 'deviceId,status\n',
      stderr: expect.stringMatching(/^muster: the answer of the hub was cut off: .*\n$/),
    })
  })

  it('writes every row to standard output, or to a file', async () => {
    const file = join(muster.home, 'rows.ndjson')

    expect((await muster.run(['job', 'export', 'mixed'])).stdout).toBe(await read('/jobs/v2/mixed/devices?format=csv'))
    const words = ['job', 'export', 'mixed', '--format', 'ndjson', '--status', 'failed', '--file', file]
    expect(await muster.run(words)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ deviceId: 'nobody', status: 'failed' })
  })
})
