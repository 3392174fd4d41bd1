import type { Fleet } from '@muster/simulator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { deviceRows, ending, putJob } from '../jobs.ts'
import { fleetOf, givenDevices } from '../simulated.ts'
import { openWay } from '../way.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

const silent = { silent: true }

describe('J22 J23 a reboot ends its own connection, and is called once', () => {
  it('when the device disconnects and connects again', async () => {
    const devices = await givenDevices(hub, { count: 1, prefix: 'parts', tags: {} })
    await using fleet: Fleet = fleetOf(hub, devices, {
      behaviour: silent,
      onMethod: (id) => void fleet.disconnect([id]).then(() => fleet.connect([id])),
    })
    await fleet.connect()

    await expectOneCall('parts')

    expect(fleet.methodCallCount).toBe(1)
  })

  it('when its connection is lost, and it connects again', async () => {
    await using way = await openWay(hub.mqttsPort)
    const devices = await givenDevices(hub, { count: 1, prefix: 'drops', tags: {} })
    await using fleet = fleetOf({ ...hub, mqttsPort: way.port }, devices, {
      behaviour: silent,
      onMethod: () => way.cut(),
    })
    await fleet.connect()

    await expectOneCall('drops')
    await fleet.connect()

    expect(fleet.methodCallCount).toBe(1)
  })

  it('when it opens a newer connection beside the old one', async () => {
    const devices = await givenDevices(hub, { count: 1, prefix: 'moves', tags: {} })
    await using second = fleetOf(hub, devices, { behaviour: silent })
    await using first = fleetOf(hub, devices, { behaviour: silent, onMethod: () => void second.connect() })
    await first.connect()

    await expectOneCall('moves')

    expect(first.methodCallCount + second.methodCallCount).toBe(1)
  })
})

/** Runs a job of a minute on the one device, and expects it to end with a call that nobody knows the outcome of. */
async function expectOneCall(prefix: string): Promise<void> {
  await putJob(hub, prefix, {
    type: 'scheduleDeviceMethod',
    queryCondition: `deviceId = '${prefix}-0000'`,
    cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 30 },
    maxExecutionTimeInSeconds: 60,
  })

  expect(await ending(hub, prefix)).toMatchObject({ status: 'completed', deviceJobStatistics: { failedCount: 1 } })
  expect(await deviceRows(hub, `jobId = '${prefix}'`)).toMatchObject([
    {
      status: 'failed',
      deliveries: 1,
      lastDeliveryTimeUtc: expect.any(String),
      error: {
        code: 'DeviceConnectionClosedRemotely',
        description: 'The connection ended after the call was delivered: whether the device acted is not known.',
      },
    },
  ])
}
