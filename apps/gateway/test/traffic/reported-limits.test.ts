import { storedIdentity } from '@muster/contract'
import { readProperties } from '@muster/store'
import { fittingSections, unfitSections } from '@muster/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connectDevice, responses, type TestDevice } from '../device.ts'
import { openHub, type TestGateway, type TestHub } from '../hub.ts'

let hub: TestHub
let gateway: TestGateway
beforeAll(async () => {
  hub = await openHub()
  gateway = await hub.startGateway()
})
afterAll(() => hub[Symbol.asyncDispose]())

const patch = '$iothub/twin/PATCH/properties/reported/?$rid='
const path = 'properties.reported'
const bytesMax = 32 * 1024

describe.each(['device', 'module'])('G23 what a %s reports', (whose) => {
  let device: TestDevice
  let identity = ''
  beforeEach(async ({ task }) => {
    const deviceId = `limits-${task.id}`.replaceAll('_', '-')
    const ofDevice = await hub.addDevice(deviceId)
    const reporter = whose === 'module' ? await hub.addModule(deviceId, 'm') : ofDevice
    identity = reporter.identity
    device = await connectDevice(gateway, reporter)
    await device.subscribe([responses])
    return () => device.end()
  })

  /** The status of the answer, and its body if it has one. */
  async function report(members: unknown): Promise<{ status: string | undefined; body: Record<string, unknown> }> {
    await device.publish(`${patch}1`, JSON.stringify(members))
    const { topic, payload } = await device.take('$iothub/twin/res/')
    return { status: topic.split('/')[3], body: payload === '' ? {} : JSON.parse(payload) }
  }

  const reported = async () => (await readProperties(gateway.hub.db, storedIdentity(identity)))?.reported

  it.each(fittingSections(bytesMax))('may hold %s', async (_, members) => {
    const { status } = await report(members)

    expect(status).toBe('204')
    expect(await reported()).toEqual({ ...members, $version: 2 })
  })

  it.each(unfitSections(path, bytesMax))('may not hold %s', async (_, members, text) => {
    const { status, body } = await report(members)

    expect(status).toBe('400')
    expect(body).toMatchObject({ errorCode: 400004, message: expect.any(String) })
    // The service side writes its semicolons otherwise.
    expect(String(body.message).replaceAll('; ', ', ')).toContain(text)
    expect(await reported()).toEqual({ $version: 1 })
  })

  it('T21 is refused with an integer as it was sent, and takes the same number as a double', async () => {
    await device.publish(`${patch}1`, '{"a":[9007199254740993]}')
    const refused = await device.take('$iothub/twin/res/')
    await device.publish(`${patch}2`, '{"a":[9007199254740993.0]}')
    const good = await device.take('$iothub/twin/res/')

    expect(JSON.parse(refused.payload).message).toContain(`${path}.a[0]: the integer 9007199254740993 must lie`)
    expect(good.topic).toContain('/204/')
  })

  it.each([['text'], [7], [true], [[]], [null]])('may not be %j', async (value) => {
    const { status, body } = await report(value)

    expect([status, body.errorCode]).toEqual(['400', 400006])
    expect(await reported()).toEqual({ $version: 1 })
  })

  it('may grow to its limit in steps, and shrink when it is full', async () => {
    const [[, full] = ['', {}]] = fittingSections(bytesMax)
    await report(full)

    expect((await report({ one: 1 })).status).toBe('400')
    expect((await report({ 10: 'x' })).status).toBe('204')
    expect((await report({ one: 1 })).status).toBe('204')
    expect(await reported()).toEqual({ ...full, 10: 'x', one: 1, $version: 4 })
  })
})
