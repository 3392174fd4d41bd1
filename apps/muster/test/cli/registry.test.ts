import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { givenFleet } from '../simulated.ts'
import { type Muster, openMuster, rowsOf } from './muster.ts'
import { openStandIn } from './stand-in.ts'

let hub: TestHub
let muster: Muster
beforeAll(async () => {
  hub = await startHub()
  muster = await openMuster(hub)
})
afterAll(async () => {
  await muster[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

const get = async (path: string) => (await hub.request('GET', path)).json()

describe('muster device', () => {
  it('create makes a device that show and list give as the API does', async () => {
    const created = await muster.json(['device', 'create', 'pump-1', '--status', 'disabled', '--status-reason', 'new'])

    expect(created).toMatchObject({ deviceId: 'pump-1', status: 'disabled', statusReason: 'new' })
    expect(await muster.json(['device', 'show', 'pump-1'])).toEqual(await get('/devices/pump-1'))
    expect(await muster.json(['device', 'list', '-q', "deviceId = 'pump-1'"])).toEqual([await get('/twins/pump-1')])
    const { stdout } = await muster.run(['device', 'list', '-q', "deviceId = 'pump-1'"])
    expect(rowsOf(stdout)).toEqual([
      ['DEVICE', 'STATUS', 'CONNECTION', 'LAST ACTIVITY'],
      ['pump-1', 'disabled', 'Disconnected', '0001-01-01T00:00:00Z'],
    ])
  })

  it('update changes what is named and keeps the rest', async () => {
    const before = await muster.json(['device', 'create', 'pump-2', '--status-reason', 'kept'])
    const after = await muster.json(['device', 'update', 'pump-2', '--status', 'disabled'])

    expect(before).toMatchObject({ status: 'enabled' })
    expect(after).toMatchObject({ status: 'disabled', statusReason: 'kept' })
  })

  it('connection-string prints what a device connects with', async () => {
    const primaryKey = Buffer.alloc(32, 7).toString('base64')
    await muster.json(['device', 'create', 'pump-3', '--primary-key', primaryKey, '--secondary-key', primaryKey])

    const { stdout } = await muster.run(['device', 'connection-string', 'pump-3'])

    expect(stdout).toBe(`HostName=localhost;DeviceId=pump-3;SharedAccessKey=${primaryKey}\n`)
  })

  it('delete takes one device, or all that meet a condition after it was said how many', async () => {
    for (const name of ['old-1', 'old-2', 'old-3']) await muster.json(['device', 'create', name])

    const unaskedOne = await muster.run(['device', 'delete', 'old-1'])
    const one = await muster.run(['device', 'delete', 'old-1', '--yes'])
    const unasked = await muster.run(['device', 'delete', '-q', "STARTSWITH(deviceId, 'old-')"])
    const many = await muster.run(['device', 'delete', '-q', "STARTSWITH(deviceId, 'old-')", '--yes'])

    expect(unaskedOne).toMatchObject({ code: 2, stderr: expect.stringContaining('Delete the device old-1') })
    expect(one.code).toBe(0)
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining('2 devices meet the condition') })
    expect(many).toMatchObject({ code: 0, stderr: '2 devices deleted\n' })
    expect((await muster.run(['device', 'show', 'old-3'])).code).toBe(3)
  })
})

describe('muster device list and delete', () => {
  it('take * for all devices, as a job does', async () => {
    await muster.json(['device', 'create', 'any-1'])

    const listed = await muster.run(['device', 'list', '-q', '*', '-o', 'name'])
    const deleted = await muster.run(['device', 'delete', '-q', '*', '--yes'])

    expect(listed.stdout).toContain('any-1\n')
    expect(deleted).toMatchObject({ code: 0, stderr: expect.stringMatching(/^\d+ devices deleted\n$/) })
    expect((await muster.run(['device', 'list', '-o', 'name'])).stdout).toBe('')
  })

  it('stop when more devices meet the condition than were counted', async () => {
    await muster.json(['device', 'create', 'late-1'])
    await using other = await openStandIn(hub, async (request, response) => {
      const [path = ''] = request.url?.split('?') ?? []
      const body = await json(request)
      const answer = await hub.request('POST', path, body)
      if (path === '/jobs/v2/preview') await muster.json(['device', 'create', 'late-2'])
      response.writeHead(answer.status).end(await answer.text())
    })

    const { code, stderr } = await other.muster.run([
      'device',
      'delete',
      '-q',
      "STARTSWITH(deviceId, 'late-')",
      '--yes',
    ])

    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/^muster: 1 devices deleted; .* are left\n$/),
    })
    expect((await muster.run(['device', 'list', '-q', "STARTSWITH(deviceId, 'late-')", '-o', 'name'])).stdout).toMatch(
      /^late-\d\n$/,
    )
  })
})

describe('muster twin', () => {
  it('update merges, replace replaces, and show gives what the API gives', async () => {
    await muster.json(['device', 'create', 'twin-1'])

    await muster.json(['twin', 'update', 'twin-1', '--tags', '{"floor":3}', '--desired', '{"interval":30,"old":1}'])
    expect(await muster.json(['twin', 'update', 'twin-1', '--desired', '{"old":null}'])).toMatchObject({
      tags: { floor: 3 },
      properties: { desired: { interval: 30 } },
    })
    expect(
      await muster.json(['twin', 'update', 'twin-1', '--patch', '{"tags":{"floor":null,"kind":"--jt"}}']),
    ).toMatchObject({
      tags: { kind: '--jt' },
    })
    const input = '{"tags":{"floor":4}}'
    const replace = ['twin', 'replace', 'twin-1', '--json', '-']
    const unasked = await muster.run(replace, { input })
    const replaced = await muster.run([...replace, '--yes', '-o', 'json'], { input })

    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining('Replace the twin of twin-1?') })
    expect(JSON.parse(replaced.stdout)).toMatchObject({ tags: { floor: 4 } })
    expect(await muster.json(['twin', 'show', 'twin-1'])).toEqual(await get('/twins/twin-1'))
    const { stdout } = await muster.run(['twin', 'show', 'twin-1'])
    expect(rowsOf(stdout)).toContainEqual(['TAGS', '{"floor":4}'])
  })
})

describe('muster method invoke', () => {
  it('calls a device and prints its answer', async () => {
    await using fleet = await givenFleet(hub, { count: 1, prefix: 'called', tags: {} })
    await fleet.connect()
    const words = ['method', 'invoke', 'called-0000', '--method-name', 'reboot', '--method-payload', '{"in":5}']

    expect(await muster.json(words)).toEqual({ status: 200, payload: { message: 'done' } })
    expect(rowsOf((await muster.run(words)).stdout)).toEqual([
      ['STATUS', '200'],
      ['PAYLOAD', '{"message":"done"}'],
    ])
  })
})

describe('muster query', () => {
  it('gives the rows of every page, with a column for each member', async () => {
    await using _ = await givenFleet(hub, { count: 1200, prefix: 'row', tags: { site: 'a' } })
    const text = "SELECT deviceId, tags.site FROM devices WHERE STARTSWITH(deviceId, 'row-')"

    expect(await muster.json(['query', text])).toHaveLength(1200)
    const rows = rowsOf((await muster.run(['query', text, '--top', '2'])).stdout)
    expect(rows).toEqual([
      ['DEVICEID', 'SITE'],
      ['row-0000', 'a'],
      ['row-0001', 'a'],
    ])
  })
})
