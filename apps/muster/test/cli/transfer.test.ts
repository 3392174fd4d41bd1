import { once } from 'node:events'
import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { startHub, type TestHub } from '../hub.ts'
import { type Muster, openMuster } from './muster.ts'

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
beforeEach(async () => {
  await muster.run(['device', 'delete', '-q', 'IS_DEFINED(deviceId)', '--yes'])
})

const get = async (path: string) => (await hub.request('GET', path)).json()
const countDevices = async () =>
  z.object({ totalDeviceCount: z.number() }).parse(await get('/statistics/devices')).totalDeviceCount

describe('muster device import', () => {
  it('registers what a file holds, and finds everything the same the second time', async () => {
    const file = await written('fleet.ndjson', [
      '{"id":"a","tags":{"floor":3},"properties":{"desired":{"interval":1e20}}}',
      '{"id":"a","moduleId":"camera","managedBy":"me"}',
      '{"id":"b","status":"disabled","authentication":{"symmetricKey":{"primaryKey":"b25l","secondaryKey":"dHdv"}}}',
    ])

    const first = await muster.json(['device', 'import', file])
    const second = await muster.json(['device', 'import', file])

    expect(first).toMatchObject({ devices: 2, modules: 1, created: 3, same: 0, isSent: true })
    expect(second).toMatchObject({ devices: 2, modules: 1, created: 0, same: 3, differentCount: 0 })
    expect(await get('/twins/a')).toMatchObject({ tags: { floor: 3 }, properties: { desired: { interval: 1e20 } } })
    expect(await get('/devices/b')).toMatchObject({
      status: 'disabled',
      authentication: { symmetricKey: { primaryKey: 'b25l', secondaryKey: 'dHdv' } },
    })
    expect(await get('/devices/a/modules/camera')).toMatchObject({ managedBy: 'me' })
  })

  it('takes a table with quotes and line breaks in its cells', async () => {
    const file = await written('fleet.csv', ['id,tags.name,tags.floor', `"o'hare,1","a ""big""`, 'hall",3'])

    expect(await muster.json(['device', 'import', file])).toMatchObject({ created: 1 })
    expect(await get(`/twins/${encodeURIComponent("o'hare,1")}`)).toMatchObject({
      tags: { name: 'a "big"\nhall', floor: 3 },
    })
  })

  it('names each bad line and sends nothing, unless it is told to send the rest', async () => {
    const file = await written('faulty.ndjson', ['{"id":"a"}', '{"id":"two words"}', '{"id":"a"}', '{"id":"b"}'])

    const whole = await muster.run(['device', 'import', file])
    const countAfterWhole = await countDevices()
    const partial = await muster.run(['device', 'import', file, '--partial', '-o', 'json'])

    expect(whole).toMatchObject({ code: 1, stdout: '' })
    expect(whole.stderr).toContain('line 2: deviceId must be')
    expect(whole.stderr).toContain('line 3: a stands in line 1 already')
    expect(whole.stderr).toContain('has 2 faults; nothing was sent (--partial sends the rest)')
    expect(countAfterWhole).toBe(0)
    expect(partial.code).toBe(1)
    expect(JSON.parse(partial.stdout)).toMatchObject({ created: 2, faultCount: 2, isSent: true })
    expect(await countDevices()).toBe(2)
  })

  it('leaves a device as it is that the hub has otherwise, and says what is different', async () => {
    await muster.json(['device', 'create', 'a', '--status', 'disabled'])
    const file = await written('other.ndjson', ['{"id":"a","status":"enabled","tags":{"floor":3}}'])

    const { code, stderr, stdout } = await muster.run(['device', 'import', file, '-o', 'json'])

    expect(code).toBe(1)
    expect(stderr).toContain('line 1: a exists already, with another status, tags; it stays as it is')
    expect(JSON.parse(stdout)).toMatchObject({ created: 0, differentCount: 1 })
    expect(await get('/devices/a')).toMatchObject({ status: 'disabled' })
  })

  it('goes on where it was killed, and registers every device once', async () => {
    const ids = Array.from({ length: 5_000 }, (_, no) => `{"id":"d${no}","tags":{"floor":${no % 9}}}`)
    const file = await written('large.ndjson', ids)

    const child = muster.start(['device', 'import', file])
    const lines = createInterface(child.stderr ?? Readable.from([]))
    for await (const line of lines) if (!line.startsWith('0 of ')) break
    child.kill('SIGKILL')
    await once(child, 'exit')
    const countWhenKilled = await countDevices()
    const { same, created, differentCount } = reportSchema.parse(await muster.json(['device', 'import', file]))

    expect(countWhenKilled).toBeGreaterThan(0)
    expect(countWhenKilled).toBeLessThan(5_000)
    // The hub may have carried out a request whose caller was gone.
    expect(same).toBeGreaterThanOrEqual(countWhenKilled)
    expect([same + created, differentCount]).toEqual([5_000, 0])
    expect(await countDevices()).toBe(5_000)
  })

  it('says in one line that a file is no text, and that no hub answers', async () => {
    const latin = join(muster.home, 'latin.ndjson')
    await writeFile(latin, Buffer.from([0x7b, 0xe9, 0x7d, 0x0a]))
    const file = await written('one.ndjson', ['{"id":"a"}'])
    const nowhere = 'HostName=127.0.0.1:1;SharedAccessKeyName=iothubowner;SharedAccessKey=b25l'

    const unreadable = await muster.run(['device', 'import', latin])
    const unreachable = await muster.run(['device', 'import', file, '--login', nowhere])

    expect(unreadable).toMatchObject({ code: 1, stderr: `muster: ${latin} is not UTF-8\n` })
    expect(unreachable.code).toBe(1)
    expect(unreachable.stderr).toMatch(/muster: [^\n]*127\.0\.0\.1:1[^\n]*\n$/)
  })

  it('says that a file is not there', async () => {
    expect(await muster.run(['device', 'import', 'nowhere.ndjson'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('nowhere.ndjson cannot be read (ENOENT)'),
    })
  })
})

describe('muster device export', () => {
  it('writes a file that only its owner may read, also over one that others could', async () => {
    const file = await written('open.ndjson', ['before'])
    await chmod(file, 0o644)
    await muster.json(['device', 'create', 'a'])

    const { code } = await muster.run(['device', 'export', file, '--keys'])

    expect(code).toBe(0)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readFile(file, 'utf8')).toMatch(/^\{"id":"a".*"primaryKey"/)
  })

  it('says in one line that a file cannot be written', async () => {
    const { code, stderr } = await muster.run(['device', 'export', join(muster.home, 'no-folder', 'fleet.ndjson')])

    expect(code).toBe(1)
    expect(stderr).toMatch(/^muster: .*no-folder\/fleet\.ndjson cannot be written: ENOENT[^\n]*\n$/)
  })

  it('writes what an import makes the same fleet of', async () => {
    const before = join(muster.home, 'before.ndjson')
    const after = join(muster.home, 'after.ndjson')
    const fleet = await written('whole.ndjson', [
      '{"id":"a","tags":{"floor":3},"properties":{"desired":{"big":1e20,"text":"\\u00e9"}}}',
      '{"id":"a","moduleId":"camera","properties":{"desired":{"fps":30}}}',
      '{"id":"edge","capabilities":{"iotEdge":true}}',
      `{"id":"x","authentication":{"type":"selfSigned","x509Thumbprint":{"primaryThumbprint":"${'A'.repeat(40)}"}}}`,
    ])
    await muster.json(['device', 'import', fleet])

    await muster.run(['device', 'export', before, '--keys'])
    await muster.run(['device', 'delete', '-q', 'IS_DEFINED(deviceId)', '--yes'])
    const imported = await muster.run(['device', 'import', before])
    await muster.run(['device', 'export', after, '--keys'])

    expect(imported).toMatchObject({ code: 0 })
    expect(await readFile(after, 'utf8')).toBe(await readFile(before, 'utf8'))
    expect(await readFile(before, 'utf8')).toContain('primaryKey')
    expect((await muster.run(['device', 'export'])).stdout).not.toContain('primaryKey')
  })
})

describe('muster import-state', () => {
  it('takes devices, modules and twins, puts them under their edge devices, and reports the rest', async () => {
    const authentication = { type: 'sas', symmetricKey: { primaryKey: 'b25l', secondaryKey: 'dHdv' } }
    const file = await written('state.json', [
      JSON.stringify({
        configurations: { admConfigurations: { colour: {} }, edgeDeployments: {} },
        devices: {
          leaf: { parent: 'edge', identity: { authentication, status: 'enabled' }, twin: { tags: { floor: 3 } } },
          edge: {
            identity: { authentication, capabilities: { iotEdge: true } },
            twin: { properties: { desired: { a: 1 } } },
            modules: { $edgeHub: {}, camera: { identity: { authentication }, twin: { tags: { lens: 2 } } } },
          },
        },
      }),
    ])

    const { code, stdout, stderr } = await muster.run(['import-state', file, '-o', 'json'])
    const { deviceScope } = z.object({ deviceScope: z.string() }).parse(await get('/devices/edge'))

    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ created: 3, parents: { placed: 1, failedCount: 0 } })
    expect(stderr).toContain('not taken: 1 automatic device configurations')
    expect(stderr).toContain('not taken: 1 system modules ($edgeAgent, $edgeHub)')
    expect(await get('/devices/leaf')).toMatchObject({ deviceScope, authentication })
    expect(await get('/twins/edge/modules/camera')).toMatchObject({ tags: { lens: 2 } })
  })
})

const reportSchema = z.object({ same: z.number(), created: z.number(), differentCount: z.number() })

describe('muster import-state of a device whose parent is missing', () => {
  it('takes the device, names the parent, and still reports', async () => {
    const authentication = { type: 'sas', symmetricKey: { primaryKey: 'b25l', secondaryKey: 'dHdv' } }
    const file = await written('orphan.json', [
      JSON.stringify({ devices: { leaf: { parent: 'gone', identity: { authentication } } } }),
    ])

    const { code, stdout, stderr } = await muster.run(['import-state', file, '-o', 'json'])

    expect(code).toBe(1)
    expect(stderr).toContain('device leaf: its parent gone is no edge device of this hub')
    expect(JSON.parse(stdout)).toMatchObject({ created: 1, parents: { placed: 0, failedCount: 1 } })
  })
})

async function written(name: string, lines: readonly string[]): Promise<string> {
  const path = join(muster.home, name)
  await writeFile(path, `${lines.join('\n')}\n`)
  return path
}
