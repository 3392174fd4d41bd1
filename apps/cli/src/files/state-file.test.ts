import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readStateFile } from './state-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-state-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const authentication = {
  type: 'sas',
  symmetricKey: { primaryKey: 'b25l', secondaryKey: 'dHdv' },
  x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
}

describe('the state of another hub', () => {
  it('gives devices and modules with their keys and twins', async () => {
    const state = await readState({
      devices: {
        edge: {
          identity: { deviceId: 'edge', status: 'enabled', capabilities: { iotEdge: true }, authentication },
          twin: { properties: { desired: {} } },
          modules: {
            $edgeAgent: { identity: { authentication: { type: 'none' } }, twin: {} },
            camera: {
              identity: { moduleId: 'camera', managedBy: 'me', authentication },
              twin: { tags: { lens: 2 }, properties: { desired: { fps: 30 } } },
            },
          },
        },
        leaf: {
          parent: 'edge',
          identity: {
            deviceId: 'leaf',
            status: 'disabled',
            statusReason: 'in stock',
            connectionState: 'Connected',
            authentication,
          },
          twin: { tags: { floor: 3 }, properties: { desired: { interval: 60 } } },
        },
      },
    })

    const entries = await Readable.from(state.read()).toArray()

    expect(entries).toMatchObject([
      { place: 'device edge', identity: 'edge', body: { capabilities: { iotEdge: true }, authentication } },
      { identity: 'edge/camera', body: { managedBy: 'me', tags: { lens: 2 }, properties: { desired: { fps: 30 } } } },
      { identity: 'leaf', body: { status: 'disabled', statusReason: 'in stock', tags: { floor: 3 } } },
    ])
    expect(entries).toHaveLength(3)
    expect([...state.parents]).toEqual([['leaf', 'edge']])
  })

  it('says what is not taken', async () => {
    const { notTaken } = await readState({
      arm: { resources: [{}, {}] },
      configurations: { admConfigurations: { a: {} }, edgeDeployments: { b: {}, c: {} } },
      devices: { d: { identity: { authentication }, modules: { $edgeHub: {} } } },
      certificates: [{}],
    })

    expect(notTaken).toEqual([
      { what: 'automatic device configurations', count: 1 },
      { what: 'edge deployments', count: 2 },
      { what: 'system modules ($edgeAgent, $edgeHub)', count: 1 },
      { what: 'Azure resources (arm: endpoints, routes, certificates)', count: 2 },
      { what: '"certificates"', count: 1 },
    ])
  })

  it.each([
    ['[]', /is not the state of a hub/],
    ['{"twins":{}}', /is not the state of a hub/],
    ['{"devices":[]}', /devices must be an object/],
    ['{"devices":{"d":7}}', /devices\.d must be an object/],
    ['{', /is no JSON/],
  ])('is not read from %s', async (text, complaint) => {
    await expect(readText(text)).rejects.toThrow(complaint)
  })

  it('names a device that no hub would take', async () => {
    const state = await readState({ devices: { 'two words': { identity: {} } } })

    expect(await Readable.from(state.read()).toArray()).toEqual([
      { place: 'device two words', complaint: expect.stringContaining('deviceId must be') },
    ])
  })
})

const readState = (state: object) => readText(JSON.stringify(state))

async function readText(text: string) {
  const path = join(folder, 'state.json')
  await writeFile(path, text)
  return readStateFile(path)
}
