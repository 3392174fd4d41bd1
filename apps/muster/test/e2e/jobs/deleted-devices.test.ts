import { generateKey } from '@muster/auth'
import { createFleet } from '@muster/simulator'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { deviceRows, ending, putJob, reaching } from '../../jobs.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

it.each([
  ['by itself', (id: string) => remove(id)],
  ['in bulk', (id: string) => request('POST', '/devices', [{ id, importMode: 'delete' }])],
  [
    'after it was disabled',
    async (id: string) => {
      await request('PUT', `/devices/${id}`, { deviceId: id, status: 'disabled' }, '"*"')
      await remove(id)
    },
  ],
  [
    'with a module',
    async (id: string) => {
      await request('PUT', `/devices/${id}/modules/camera`, { deviceId: id, moduleId: 'camera' })
      await remove(id)
    },
  ],
])('J30 a job that waits for a device ends when the device is deleted %s', async (name, deletion) => {
  const id = `gone-${name.replaceAll(' ', '-')}`
  await register(id)
  await putWaiting(id)

  await deletion(id)

  await expectNotFound(id)
})

it('J31 a device that is made anew under the name gets no call of a job that waits for the former one', async () => {
  await register('anew')
  await putWaiting('anew')

  await remove('anew')
  const key = await register('anew')
  await using heir = createFleet({
    hostName: 'localhost',
    mqttsPort: hub.mqttsPort,
    ca: hub.ca,
    devices: [
      {
        deviceId: 'anew',
        key,
        behaviour: { latencyMs: [0, 0], status: 200, silent: false, offline: false, reports: false },
      },
    ],
  })
  await heir.connect()

  await expectNotFound('anew')
  expect(heir.methodCallCount).toBe(0)
})

/** A method job on one offline device, which waits for it. */
async function putWaiting(id: string): Promise<void> {
  let attempts = 0
  const off = hub.running.hub.events.on('chunkRecorded', ({ waiting }) => {
    attempts += waiting
  })
  await putJob(hub, id, {
    type: 'scheduleDeviceMethod',
    queryCondition: `deviceId = '${id}'`,
    cloudToDeviceMethod: { methodName: 'reboot', payload: null },
  })
  await expect.poll(() => attempts, { timeout: 10_000 }).toBe(1)
  off()
  await reaching(hub, id, 'pendingCount', 1)
}

async function expectNotFound(id: string): Promise<void> {
  expect(await ending(hub, id)).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 1, failedCount: 1, pendingCount: 0 },
  })
  expect(await deviceRows(hub, `jobId = '${id}'`)).toMatchObject([
    { deviceId: id, status: 'failed', error: { code: 'DeviceNotFound' } },
  ])
}

async function register(id: string): Promise<string> {
  const key = generateKey()
  const authentication = { type: 'sas', symmetricKey: { primaryKey: key, secondaryKey: key } }
  await request('PUT', `/devices/${id}`, { deviceId: id, authentication })
  return key
}

function remove(id: string): Promise<void> {
  return request('DELETE', `/devices/${id}`, undefined, '"*"')
}

async function request(method: string, path: string, body?: unknown, ifMatch?: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${hub.httpPort}${path}?api-version=2021-04-12`, {
    method,
    headers: {
      authorization: hub.token,
      'content-type': 'application/json',
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
}
