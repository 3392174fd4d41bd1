import { afterAll, beforeAll, expect, it } from 'vitest'
import { startHub, type TestHub } from '../hub.ts'
import { ending } from '../jobs.ts'
import { givenFleet } from '../simulated.ts'
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

/** A line of an az script, without "az". The output is JSON, as there. */
async function az(line: string): Promise<unknown> {
  const words = [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, one, two, bare]) => one ?? two ?? bare ?? '')
  const { code, stdout, stderr } = await muster.run(words)
  if (code !== 0) throw new Error(`${line} ended with ${code}: ${stderr}`)
  return stdout === '' ? null : JSON.parse(stdout)
}

it('the lines of az scripts run as they stand', async () => {
  await using fleet = await givenFleet(hub, { count: 2, prefix: 'az', tags: { building: 9 } })
  await fleet.connect()
  const patch = `'{"properties":{"desired": {"temperature": 42}}}'`

  expect(await az('iot hub device-identity create -n myhub -d device-1 --ee false')).toMatchObject({
    deviceId: 'device-1',
  })
  expect(await az(`iot hub device-twin update -n myhub -d device-1 --tags '{"building": 9}'`)).toMatchObject({
    tags: { building: 9 },
  })
  const twinJob = 'iot hub job create --job-id job-1 --job-type scheduleUpdateTwin -n myhub -q "tags.building = 9"'
  expect(await az(`${twinJob} --twin-patch ${patch} --start-time "2019-12-12T00:00:00Z" --ttl 300`)).toMatchObject({
    jobId: 'job-1',
    type: 'scheduleUpdateTwin',
  })
  await ending(hub, 'job-1')
  const methodJob = 'iot hub job create --job-id job-2 --jt scheduleDeviceMethod -n myhub'
  expect(
    await az(`${methodJob} -q "deviceId IN ['az-0000', 'az-0001']" --mn reboot --mp '{"in": 5}' --mrt 10`),
  ).toMatchObject({ jobId: 'job-2' })
  await ending(hub, 'job-2')

  expect(await az(`iot hub job show --job-id job-2 --login "${hub.connectionString}"`)).toMatchObject({
    status: 'completed',
    deviceJobStatistics: { succeededCount: 2 },
  })
  expect(await az('iot hub job list --hub-name myhub --top 1')).toMatchObject([{ jobId: 'job-2' }])
  expect(await az('iot hub query -n myhub -q "SELECT deviceId FROM devices WHERE tags.building = 9"')).toHaveLength(3)
  expect(await az('iot hub invoke-device-method -n myhub -d az-0000 --mn reboot')).toEqual({
    status: 200,
    payload: { message: 'done' },
  })
  expect(await az('iot hub device-identity connection-string show -n myhub -d device-1')).toEqual({
    connectionString: expect.stringMatching(/^HostName=localhost;DeviceId=device-1;SharedAccessKey=/),
  })
})

it('an az script cancels a job without being asked', async () => {
  await az(
    `iot hub job create --job-id later --job-type scheduleUpdateTwin -q "*" --twin-patch '{"tags":{"a":1}}' --start-time "${new Date(Date.now() + 3_600_000).toISOString()}"`,
  )

  expect(await az('iot hub job cancel --job-id later -n myhub')).toMatchObject({ status: 'cancelled' })
})

it('a command of az that is not here is named, with those that are', async () => {
  expect(await muster.run(['iot', 'hub', 'monitor-events'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^muster: "iot hub monitor-events" is none of job create, job list, /),
  })
})
