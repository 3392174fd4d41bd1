// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so the parameters of a job are written
import type { Json } from '@muster/contract'
import { createFleet } from '@muster/simulator'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { deviceRows, ending, putJob } from '../jobs.ts'
import { registered } from '../simulated.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

it('R97 R98 a method job calls each device with its own values, and not the one that has none', async () => {
  const payloads = new Map<string, Json>()
  await using fleet = createFleet({
    ...(await registered(hub, { count: 3, prefix: 'show', tags: { site: 'show', floor: 3 } })),
    onMethod: (deviceId, { payload }) => payloads.set(deviceId, payload),
  })
  await fleet.connect()
  await hub.request('PATCH', '/twins/show-0001', { tags: { floor: 4 } })
  await hub.request('PATCH', '/twins/show-0002', { tags: { floor: null } })

  await putJob(hub, 'show', {
    type: 'scheduleDeviceMethod',
    queryCondition: "tags.site = 'show'",
    cloudToDeviceMethod: { methodName: 'show', payload: { floor: '${tags.floor}', title: '${deviceId}: $${x}' } },
    parameters: {},
  })

  expect(await ending(hub, 'show')).toMatchObject({ deviceJobStatistics: { succeededCount: 2, failedCount: 1 } })
  expect(Object.fromEntries(payloads)).toEqual({
    'show-0000': { floor: 3, title: 'show-0000: ${x}' },
    'show-0001': { floor: 4, title: 'show-0001: ${x}' },
  })
  expect(await deviceRows(hub, "jobId = 'show' AND status = 'failed'")).toMatchObject([
    {
      deviceId: 'show-0002',
      deliveries: 0,
      error: {
        code: 'ArgumentInvalid',
        description: 'the twin of the device has no value for the parameter ${tags.floor}',
      },
    },
  ])
})

it('R97 R99 a twin job gives each twin its own values, and each connected device its own patch', async () => {
  const patches = new Map<string, Json>()
  await using fleet = createFleet({
    ...(await registered(hub, { count: 150, prefix: 'twin', tags: { site: 'twin' } })),
    onDesired: (deviceId, patch) => patches.set(deviceId, patch),
  })
  await fleet.connect(['twin-0000', 'twin-0149'])

  await putJob(hub, 'twin', {
    type: 'scheduleUpdateTwin',
    queryCondition: "tags.site = 'twin'",
    updateTwin: {
      etag: '*',
      tags: { name: '${tags.site}/${deviceId}' },
      properties: { desired: { me: '${deviceId}' } },
    },
    parameters: { onMissing: 'fail' },
  })

  expect(await ending(hub, 'twin')).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { deviceCount: 150, succeededCount: 150 },
  })
  const found = await hub.request('POST', '/devices/query', {
    query: "SELECT tags.name AS name FROM devices WHERE tags.site = 'twin' AND deviceId IN ['twin-0000', 'twin-0149']",
  })
  expect(await found.json()).toEqual([{ name: 'twin/twin-0000' }, { name: 'twin/twin-0149' }])
  await expect
    .poll(() => Object.fromEntries(patches))
    .toEqual({
      'twin-0000': expect.objectContaining({ me: 'twin-0000' }),
      'twin-0149': expect.objectContaining({ me: 'twin-0149' }),
    })
})
