import {
  type GatewayId,
  type JobKey,
  type Json,
  type JsonText,
  jsonText,
  parsedText,
  parseJobId,
} from '@muster/contract'
import {
  claimChunk,
  findRoutes,
  insertJob,
  insertWorker,
  isNotNow,
  readRunningJob,
  recordFirstAttempts,
  startJob,
} from '@muster/store'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callAll } from '../call-all.ts'
import { connectDevice, desired, methods, responses, type TestDevice } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

async function connected(deviceId: string, filters = [methods]) {
  const device = await connectDevice(gateway, await hub.addDevice(deviceId))
  await device.subscribe(filters)
  return device
}

async function gatewayOf(deviceId: string): Promise<GatewayId> {
  const [route] = await findRoutes(gateway.hub.db, [deviceId])
  if (route?.gatewayId == null) throw new Error(`${deviceId} takes no methods`)
  return route.gatewayId
}

/** Calls the devices through the gateway of the first one, as a worker does. */
async function call(
  identities: readonly string[],
  options: { payload?: Json; text?: JsonText; seconds?: number; name?: string } = {},
) {
  const { payload = null, text = jsonText(payload), seconds = 30, name = 'reboot' } = options
  const gatewayId = await gatewayOf(identities[0] ?? '')
  const method = { methodName: name, payload: text, responseTimeoutSeconds: seconds }
  return callAll(gateway.hub.bus, { gatewayId, identities, ...method })
}

/** Takes the next method and returns its request id. */
async function taken(device: TestDevice, name = 'reboot') {
  const { topic, payload } = await device.take(`$iothub/methods/POST/${name}/?$rid=`)
  return { rid: topic.split('$rid=')[1] ?? '', payload }
}

const answer = (status: number | string, rid: string) => `$iothub/methods/res/${status}/?$rid=${rid}`

describe('a direct method', () => {
  it('G30 comes to a device whose id has # and +', async () => {
    const device = await connected('a#b+c')

    const calling = call(['a#b+c'])
    await device.publish(answer(200, (await taken(device)).rid))

    expect(await calling).toMatchObject([{ identity: 'a#b+c', kind: 'answered', status: 200 }])
    await device.end()
  })

  it('G30 is delivered with its payload, and the answer comes back', async () => {
    const device = await connected('called')

    const calling = call(['called'], { payload: { delay: 5 } })
    const { rid, payload } = await taken(device)
    await device.publish(answer(200, rid), '{"ok":true}')

    expect(payload).toBe('{"delay":5}')
    expect(rid).toMatch(/^[0-9a-f]+$/)
    expect(await calling).toEqual([{ identity: 'called', kind: 'answered', status: 200, payload: '{"ok":true}' }])
    await device.end()
  })

  it('G30 is delivered with its integers as they were sent, and so is the answer', async () => {
    const device = await connected('integers')
    const sent = '{"serial":9007199254740993,"of":[18446744073709551615]}'

    const calling = call(['integers'], { text: parsedText(sent) })
    const { rid, payload } = await taken(device)
    await device.publish(answer(200, rid), payload)

    expect(payload).toBe(sent)
    expect(await calling).toMatchObject([{ kind: 'answered', payload: sent }])
    await device.end()
  })

  it('G30 without a payload carries the word null, and an empty answer means null', async () => {
    const device = await connected('empty')

    const calling = call(['empty'], { name: 'a*b' })
    const { rid, payload } = await taken(device, 'a*b')
    await device.publish(answer(-1, rid), '', 1)

    expect(payload).toBe('null')
    expect(await calling).toEqual([{ identity: 'empty', kind: 'answered', status: -1, payload: 'null' }])
    await device.end()
  })

  it('G30 has any status of 32 bits, and properties behind the request id change nothing', async () => {
    const device = await connected('any-status')

    for (const [status, properties] of [
      [-2_147_483_648, ''],
      [0, '&key'],
      [2_147_483_647, '&key=&other=a%20b&$.ct=text'],
    ] as const) {
      const calling = call(['any-status'])
      const { rid } = await taken(device)
      await device.publish(`${answer(status, rid)}${properties}`, '1', 1)

      expect(await calling).toEqual([{ identity: 'any-status', kind: 'answered', status, payload: '1' }])
    }
    await device.end()
  })

  it('G30 comes at QoS 0 when QoS 1 was granted, as answers about the twin and notifications do', async () => {
    const device = await connectDevice(gateway, await hub.addDevice('quality'))
    const received: string[] = []
    device.client.on('message', (topic, _, { qos }) => received.push(`${topic.split('?')[0]} at ${qos}`))

    expect(await device.subscribe([responses, desired, methods], 1)).toEqual([1, 1, 1])
    await device.publish('$iothub/twin/GET/?$rid=1')
    await device.take('$iothub/twin/res/200/')
    await hub.change('quality', { x: 1 })
    await device.take('$iothub/twin/PATCH/')
    const calling = call(['quality'])
    const { rid } = await taken(device)
    await device.publish(answer(200, rid))
    await calling

    expect(received).toEqual([
      '$iothub/twin/res/200/ at 0',
      '$iothub/twin/PATCH/properties/desired/ at 0',
      '$iothub/methods/POST/reboot/ at 0',
    ])
    await device.end()
  })

  it('G31 yields one result for each device: one that answers, one without the subscription, one that is not there', async () => {
    const here = await connected('here')
    const unsubscribed = await connected('unsubscribed', ['$iothub/methods/POST/other/#'])

    const calling = call(['here', 'unsubscribed', 'nowhere'])
    const { rid } = await taken(here)
    await here.publish(answer(200, rid), '1')
    await here.publish(answer(500, rid), '2')
    await here.publish(answer(200, 'ffff'), '3')

    const results = await calling
    expect(results.toSorted((a, b) => a.identity.localeCompare(b.identity))).toEqual([
      { identity: 'here', kind: 'answered', status: 200, payload: '1' },
      { identity: 'nowhere', kind: 'notOnline' },
      { identity: 'unsubscribed', kind: 'notOnline' },
    ])
    await Promise.all([here.end(), unsubscribed.end()])
  })

  it('G32 ends at once when the answer cannot be used, and says why', async () => {
    const device = await connected('babbles')

    const statusRange = 'its status is not between -2147483648 and 2147483647'
    for (const [status, payload, reason] of [
      [200, '{', 'it is no JSON'],
      [200, Buffer.from([0x22, 0xff, 0x22]), 'it is no UTF-8'],
      [200, String.raw`"\ud800"`, String.raw`it holds \ud800, half of a character`],
      [200, JSON.stringify('x'.repeat(128 * 1024)), 'it is larger than 128 KB'],
      [200, '['.repeat(10_000) + ']'.repeat(10_000), 'it nests deeper than 64 levels'],
      [200, '{"readings":[1,-1e400]}', 'it holds a number that is too large'],
      ['ok', '{}', 'its status is no integer'],
      ['2147483648', '{}', statusRange],
      ['-2147483649', '{}', statusRange],
      ['9'.repeat(400), '{}', statusRange],
    ] as const) {
      const calling = call(['babbles'])
      const { rid } = await taken(device)
      await device.publish(answer(status, rid), payload, 1)

      expect(await calling).toEqual([{ identity: 'babbles', kind: 'badAnswer', reason }])
    }
    await device.end()
  })

  it('G33 ends at once when the connection does', async () => {
    const device = await connected('leaves')

    const calling = call(['leaves'])
    await taken(device)
    await device.end('drop')

    expect(await calling).toEqual([{ identity: 'leaves', kind: 'connectionLost' }])
  })

  it('G33 ends when the device answers on a topic that there is not, and is cut for it', async () => {
    const device = await connected('misplaces')

    const calling = call(['misplaces'])
    const { rid } = await taken(device)
    device.client.publish(`$iothub/methods/res/200/more/?$rid=${rid}`, '1')

    expect(await calling).toEqual([{ identity: 'misplaces', kind: 'connectionLost' }])
  })

  it.each(['the same gateway', 'another gateway'])(
    'G33 ends as taken over when the device connects anew, on %s',
    async (where) => {
      const deviceId = where === 'the same gateway' ? 'again-here' : 'again-there'
      const identity = await hub.addDevice(deviceId)
      const first = await connectDevice(gateway, identity)
      await first.subscribe([methods])

      const calling = call([deviceId])
      await taken(first)
      const second = await connectDevice(where === 'the same gateway' ? gateway : await hub.startGateway(), identity)

      expect(await calling).toEqual([{ identity: deviceId, kind: 'takenOver' }])
      await second.end()
    },
  )

  it('G34 is refused by a device that has ten of them', async () => {
    const device = await connected('busy')

    const calling = Array.from({ length: 10 }, () => call(['busy']))
    const rids = await Promise.all(calling.map(() => taken(device)))
    const eleventh = await call(['busy'])
    await Promise.all(rids.map(({ rid }) => device.publish(answer(200, rid))))

    expect(eleventh).toEqual([{ identity: 'busy', kind: 'busy' }])
    expect((await Promise.all(calling)).flat()).toHaveLength(10)
    await device.end()
  })

  it('G35 ends when the response timeout has passed, and a late answer changes nothing', async () => {
    const device = await connected('slow')

    const calling = call(['slow'], { seconds: 0.2 })
    const { rid } = await taken(device)
    const results = await calling
    await device.publish(answer(200, rid), '1', 1)

    expect(results).toEqual([{ identity: 'slow', kind: 'noAnswer' }])
    await device.end()
  })

  it('G31 is not mixed up among hundreds in flight', async () => {
    const deviceIds = Array.from({ length: 20 }, (_, n) => `many-${n}`)
    const devices = await Promise.all(deviceIds.map((deviceId) => connected(deviceId)))
    for (const { client } of devices) {
      client.on('message', (topic, payload) => client.publish(answer(200, topic.split('$rid=')[1] ?? ''), payload))
    }

    const rounds = Array.from({ length: 10 }, (_, n) => n)
    const results = await Promise.all(rounds.map((payload) => call(deviceIds, { payload })))

    for (const [round, ofRound] of results.entries()) {
      expect(ofRound.map(({ identity }) => identity).toSorted()).toEqual(deviceIds.toSorted())
      expect(ofRound.every((result) => result.kind === 'answered' && result.payload === jsonText(round))).toBe(true)
    }
    await Promise.all(devices.map((device) => device.end()))
  })
})

describe('the subscription to methods', () => {
  it('G36 makes the device reachable once it is acknowledged, and no longer when it is given up', async () => {
    const device = await connectDevice(gateway, await hub.addDevice('routed'))
    const routeOf = async () => (await findRoutes(gateway.hub.db, ['routed']))[0]?.gatewayId

    const before = await routeOf()
    await device.subscribe([methods])
    const subscribed = await routeOf()
    await device.client.unsubscribeAsync(methods)
    const after = await routeOf()

    expect(before).toBeNull()
    expect(subscribed).toEqual(expect.any(String))
    expect(after).toBeNull()
    await device.end()
  })

  it('G36 makes the device jobs due that wait for it, also when it is restored', async () => {
    const identity = await hub.addDevice('awaited')
    const woken: string[] = []
    const consumer = gateway.hub.bus.consumeWork(
      async ({ kind, key }) => {
        woken.push(`${kind} ${key}`)
        return 'done'
      },
      { concurrency: 1 },
    )

    const first = await givenWaitingJob('awaited')
    const device = await connectDevice(gateway, identity)
    await device.subscribe([methods])
    await eventually(() => expect(woken).toEqual([`due ${first}`]))
    await device.end()
    const second = await givenWaitingJob('awaited')
    await connectDevice(gateway, identity)

    await eventually(() => expect(woken).toEqual([`due ${first}`, `due ${second}`]))
    await consumer.stop(AbortSignal.timeout(5_000))
  })
})

/** A running method job whose one device job waits until the device is reachable. */
async function givenWaitingJob(deviceId: string): Promise<JobKey> {
  const { db } = gateway.hub
  const now = new Date()
  const request = {
    jobId: parseJobId(`job-${now.getTime()}`),
    type: 'scheduleDeviceMethod' as const,
    target: { kind: 'devices' as const, deviceIds: [deviceId] },
    body: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 30, connectTimeoutInSeconds: 0 },
    startTime: null,
    maxExecutionTimeInSeconds: 3600,
    queryCondition: '',
  }
  const job = await insertJob(db, request, now)
  if (job === null) throw new Error('the job exists already')
  await startJob(db, job.key, { maxRunningJobs: 10, chunkSize: () => 10 }, now)
  const running = await readRunningJob(db, job.key)
  const workerId = request.jobId
  await insertWorker(db, { workerId, leaseUntil: new Date(now.getTime() + 60_000) }, now)
  const claim = running && (await claimChunk(db, running, workerId, now))
  if (claim === null || isNotNow(claim)) throw new Error('there is nothing to claim')
  await recordFirstAttempts(db, [{ claim, outcomes: [{ deviceId, status: 'pending', dueAt: null }] }], now)
  return job.key
}
