import { createFleet, type Fleet } from '@muster/simulator'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { deviceRows, ending, putJob, reaching } from '../jobs.ts'
import { registered } from '../simulated.ts'
import { findBase } from './base.ts'
import { type Build, buildCommit, root } from './build.ts'
import { type Api, type Mix, type MixedHub, startMixedHub } from './mixed-hub.ts'

const base = await findBase(root, process.env.MUSTER_TEST_SKEW_BASE)
const reason = 'absent' in base ? base.absent : null
// The title of a skipped test is not shown everywhere.
if (reason !== null) process.stderr.write(`skipped: a hub of two versions: ${reason}\n`)

const all = ['api', 'dispatcher', 'worker', 'gateway'] as const
/** In the first four, each two roles meet with either of them the older one. In the last one, both versions share the work of a role. */
const mixes: readonly (readonly [title: string, Mix])[] = [
  ['an old worker and gateway', { new: ['api', 'dispatcher'], old: ['worker', 'gateway'] }],
  ['an old api and dispatcher', { new: ['worker', 'gateway'], old: ['api', 'dispatcher'] }],
  ['an old dispatcher and worker', { new: ['api', 'gateway'], old: ['dispatcher', 'worker'] }],
  ['an old api and gateway', { new: ['dispatcher', 'worker'], old: ['api', 'gateway'] }],
  ['both versions of every role', { new: all, old: all }],
]

describe.skipIf(reason !== null)(
  `a hub of this version and of ${'absent' in base ? `the one before it (skipped: ${reason})` : base.name}`,
  () => {
    let old: Build | undefined
    beforeAll(async () => {
      if ('commit' in base) old = await buildCommit(base.commit)
    }, 180_000)
    afterAll(() => old?.[Symbol.asyncDispose]())

    it.each(mixes)(
      'J27 with %s, jobs and calls end as they must, and no device is called twice',
      async (_, mix) => {
        const hub = await startMixedHub(mix, old?.program ?? '')
        const [api, otherApi] = hub.apis
        const { devices, calls, desired, connect } = await givenDevices(hub)
        const [early, late, last] = [devices.slice(0, 20), devices.slice(20, 30), devices.slice(30)]
        const awaited = [...early, ...late]

        await connect(early)
        const answers = await Promise.all(
          [api, otherApi].flatMap((each) => early.slice(0, 2).map((deviceId) => callDevice(each, deviceId))),
        )
        expect(answers).toEqual(answers.map(() => 200))
        await putJob(api, 'reboot', methodJob('reboot'))
        await reaching(otherApi, 'reboot', 'succeededCount', early.length)
        await connect(late)
        await reaching(otherApi, 'reboot', 'succeededCount', awaited.length)
        const cancel = await otherApi.request('POST', '/jobs/v2/reboot/cancel')
        await connect(last)
        await putJob(otherApi, 'settle', twinJob)
        await putJob(otherApi, 'check', methodJob('check'))
        const [rebooted, settled, checked] = await Promise.all(
          ['reboot', 'settle', 'check'].map((jobId) => ending(api, jobId)),
        )

        expect(cancel.status).toBe(200)
        expect(rebooted).toMatchObject({
          status: 'cancelled',
          deviceJobStatistics: {
            deviceCount: devices.length,
            succeededCount: awaited.length,
            canceledCount: last.length,
          },
        })
        const succeeded = { deviceCount: devices.length, succeededCount: devices.length }
        expect(settled).toMatchObject({ status: 'completed', deviceJobStatistics: succeeded })
        expect(checked).toMatchObject({ status: 'completed', deviceJobStatistics: succeeded })
        expect(await deviceRows(api, "status = 'failed'")).toEqual([])
        expect(calls('reboot')).toEqual(awaited)
        expect(calls('check')).toEqual(devices)
        await eventually(() => expect(desired()).toEqual(devices))
        await eventually(async () => expect(await reporting(api)).toEqual(devices))
      },
      120_000,
    )
  },
)

const methodJob = (methodName: string) => ({
  type: 'scheduleDeviceMethod',
  queryCondition: "tags.site = 'mixed'",
  cloudToDeviceMethod: { methodName, payload: null, responseTimeoutInSeconds: 30 },
})

const twinJob = {
  type: 'scheduleUpdateTwin',
  queryCondition: "tags.site = 'mixed'",
  updateTwin: { etag: '*', tags: { settled: true }, properties: { desired: { interval: 60 } } },
}

/** Devices of which every other one connects to the second gateway. They report what they are told. */
async function givenDevices({ ca, apis, mqttsPorts }: MixedHub) {
  const place = { ca, request: apis[0].request, mqttsPort: mqttsPorts[0] }
  const fleet = { count: 36, prefix: 'mixed', tags: { site: 'mixed' }, behaviour: { reports: true } }
  const { devices, ...options } = await registered(place, fleet)
  const called: { readonly deviceId: string; readonly name: string }[] = []
  const told: string[] = []
  const fleets = mqttsPorts.map((mqttsPort, turn): Fleet => {
    return createFleet({
      ...options,
      mqttsPort,
      devices: devices.filter((_, index) => index % 2 === turn),
      onMethod: (deviceId, { name }) => called.push({ deviceId, name }),
      onDesired: (deviceId) => told.push(deviceId),
    })
  })
  for (const each of fleets) onTestFinished(() => each[Symbol.asyncDispose]())
  const ids = devices.map(({ deviceId }) => deviceId)
  return {
    devices: ids,
    /** The devices that got this method, once for each time. */
    calls: (name: string) =>
      called
        .filter((call) => call.name === name)
        .map(({ deviceId }) => deviceId)
        .toSorted(),
    /** The devices that got desired properties, once for each time. */
    desired: () => told.toSorted(),
    async connect(deviceIds: readonly string[]) {
      await Promise.all(
        fleets.map((each, turn) => each.connect(deviceIds.filter((deviceId) => ids.indexOf(deviceId) % 2 === turn))),
      )
    },
  }
}

async function callDevice(api: Api, deviceId: string): Promise<unknown> {
  const response = await api.request('POST', `/twins/${deviceId}/methods`, { methodName: 'ping' })
  const { status } = JSON.parse(await response.text())
  return status
}

async function reporting(api: Api): Promise<readonly string[]> {
  const response = await api.request('POST', '/devices/query', {
    query: 'SELECT deviceId FROM devices WHERE properties.reported.interval = 60 AND tags.settled = true',
  })
  const found: { deviceId: string }[] = JSON.parse(await response.text())
  return found.map(({ deviceId }) => deviceId).toSorted()
}
