import { createFleet, type Fleet } from '@muster/simulator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { deviceRows, ending, putJob } from '../jobs.ts'
import { registered } from '../simulated.ts'
import { openWay } from '../way.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

/** Devices that never answer, one of each prefix. */
const givenDevice = (prefix: string) => registered(hub, { count: 1, prefix, tags: {}, behaviour: { silent: true } })

describe('J22 J23 a reboot ends its own connection, and is called once', () => {
  it('when the device disconnects and connects again', async () => {
    await using fleet: Fleet = createFleet({
      ...(await givenDevice('parts')),
      onMethod: (id) => void fleet.disconnect([id]).then(() => fleet.connect([id])),
    })
    await fleet.connect()

    await expectOneCall('parts')

    expect(fleet.methodCallCount).toBe(1)
  })

  it('when its connection is lost, and it connects again', async () => {
    await using way = await openWay(hub.mqttsPort)
    await using fleet = createFleet({
      ...(await givenDevice('drops')),
      mqttsPort: way.port,
      onMethod: () => way.cut(),
    })
    await fleet.connect()

    await expectOneCall('drops')
    await fleet.connect()

    expect(fleet.methodCallCount).toBe(1)
  })

  it('when it opens a newer connection beside the old one', async () => {
    const device = await givenDevice('moves')
    await using second = createFleet(device)
    await using first = createFleet({ ...device, onMethod: () => void second.connect() })
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
        description:
          'The connection or its gateway was lost after the call was delivered: whether the device acted is not known.',
      },
    },
  ])
}
