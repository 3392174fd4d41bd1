import { type Client, createClient } from '@muster/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from './hub.ts'
import { ending } from './jobs.ts'

let hub: TestHub
let client: Client
beforeAll(async () => {
  hub = await startHub()
  client = createClient({ connectionString: hub.connectionString, url: `http://127.0.0.1:${hub.httpPort}` })
})
afterAll(() => hub[Symbol.asyncDispose]())

const read = async (path: string) => (await hub.request('GET', path)).json()

describe('the client on a real hub', () => {
  it('creates, reads, changes, lists and deletes devices, and minds an etag', async () => {
    const created = await client.devices.create('d#1', { statusReason: 'new', capabilities: { iotEdge: true } })

    expect(created).toEqual(await read('/devices/d%231'))
    const changed = await client.devices.update('d#1', { status: 'disabled' }, { etag: created.etag })
    expect(changed).toMatchObject({ status: 'disabled', statusReason: 'new' })
    await expect(client.devices.update('d#1', { status: 'enabled' }, { etag: created.etag })).rejects.toMatchObject({
      code: 'PreconditionFailed',
      status: 412,
      trackingId: expect.any(String),
    })
    expect(await client.devices.list({ top: 5 })).toEqual([changed])
    expect(await client.statistics.devices()).toEqual({
      totalDeviceCount: 1,
      enabledDeviceCount: 0,
      disabledDeviceCount: 1,
    })
    await client.devices.delete('d#1', { etag: changed.etag })
    await expect(client.devices.get('d#1')).rejects.toMatchObject({ code: 'DeviceNotFound' })
    expect(await client.statistics.service()).toEqual({ connectedDeviceCount: 0 })
  })

  it('does the same with modules and their twins', async () => {
    await client.devices.create('edge')
    const module = await client.modules.create('edge', 'camera', { managedBy: 'me' })

    expect(await client.modules.list('edge')).toEqual([module])
    expect(await client.modules.update('edge', 'camera', { managedBy: 'you' })).toMatchObject({ managedBy: 'you' })
    const identity = { deviceId: 'edge', moduleId: 'camera' }
    await client.twins.update(identity, { properties: { desired: { rate: 5 } } })
    expect(await client.twins.get(identity)).toEqual(await read('/twins/edge/modules/camera'))
    await expect(client.methods.invoke(identity, { methodName: 'reboot' })).rejects.toMatchObject({
      code: 'DeviceNotOnline',
    })
    await client.modules.delete('edge', 'camera')
    expect(await client.modules.list('edge')).toEqual([])
  })

  it('carries out many changes in one call, and tells of those that could not be', async () => {
    const { isSuccessful, errors } = await client.devices.change([
      { id: 'bulk-1', importMode: 'create', tags: { floor: 3 } },
      { id: 'nobody', importMode: 'delete' },
    ])

    expect(isSuccessful).toBe(false)
    expect(errors).toMatchObject([{ deviceId: 'nobody', errorCode: 'DeviceNotFound' }])
    expect(await client.twins.get('bulk-1')).toMatchObject({ tags: { floor: 3 } })
  })

  it('pages through lists', async () => {
    const ids = Array.from({ length: 5 }, (_, index) => `page-${index}`)
    await client.devices.change(ids.map((id) => ({ id, importMode: 'create' })))
    const rows = client.query<{ deviceId: string }>(
      "SELECT deviceId FROM devices WHERE STARTSWITH(deviceId, 'page-')",
      {
        pageSize: 2,
      },
    )

    const pages = await collected(rows.pages())
    expect(pages.map((page) => page.length)).toEqual([2, 2, 1])
    expect((await collected(rows)).map(({ deviceId }) => deviceId)).toEqual(ids)
  })

  it('hears what happens to any job', async () => {
    const stop = new AbortController()
    const events = client.jobs.allEvents({ signal: stop.signal })[Symbol.asyncIterator]()
    const first = events.next()
    // A stream of all jobs begins when the hub has taken it. Jobs are made until one is heard of.
    let heard: Awaited<typeof first> | undefined
    void first.then((result) => {
      heard = result
    })
    for (let index = 0; heard === undefined; index += 1) {
      await client.jobs.create({ jobId: `heard-${index}`, deviceIds: ['bulk-1'], updateTwin: { tags: { seen: true } } })
      await ending(hub, `heard-${index}`)
    }

    expect(heard.value).toMatchObject({ jobId: expect.stringMatching(/^heard-/), type: 'scheduleUpdateTwin' })
    stop.abort(new Error('enough'))
    await expect(events.next()).rejects.toThrow('enough')
  })

  it('uses a token that is asked for before each call', async () => {
    let asked = 0
    const token = async () => {
      asked += 1
      return hub.token
    }
    const other = createClient({ url: `http://127.0.0.1:${hub.httpPort}`, token })

    await other.devices.list()
    await other.statistics.devices()
    expect(asked).toBe(2)
  })
})

async function collected<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}
