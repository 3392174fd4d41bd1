import { setTimeout as passed } from 'node:timers/promises'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { roles } from '../../src/roles.ts'
import { startHub, type TestHub } from '../hub.ts'
import { startApiProcess, startGatewayProcess } from '../role-process.ts'
import { givenFleet } from '../simulated.ts'

const responseTimeoutInSeconds = 5
const count = 20

let hub: TestHub
let gateway: Awaited<ReturnType<typeof startGatewayProcess>>
beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name === 'api') })
  gateway = await startGatewayProcess(hub)
})
afterAll(async () => {
  await gateway[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

/** Devices on the gateway that answer after a second. */
async function connectedFleet(prefix: string) {
  const place = { request: hub.request, ca: hub.ca, mqttsPort: gateway.mqttsPort }
  const fleet = await givenFleet(place, { count, prefix, tags: {}, behaviour: { latencyMs: [1_000, 1_000] } })
  await fleet.connect()
  return fleet
}

async function callAll(prefix: string, request: TestHub['request']): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const deviceId = `${prefix}-${String(index).padStart(4, '0')}`
      const body = { methodName: 'ping', responseTimeoutInSeconds }
      const response = await request('POST', `/twins/${deviceId}/methods`, body)
      const text = await response.text()
      return response.ok ? 'answered' : `${response.status} ${text}`
    }),
  )
}

it('G35 what devices answered while their gateway was frozen beyond the response timeout is their answer', async () => {
  await using fleet = await connectedFleet('frozen')

  const answers = callAll('frozen', hub.request)
  await eventually(() => expect(fleet.methodCallCount).toBe(count))
  gateway.signal('SIGSTOP')
  await passed((responseTimeoutInSeconds + 1) * 1000)
  gateway.signal('SIGCONT')

  expect(new Set(await answers)).toEqual(new Set(['answered']))
})

it('G35 what devices answered while the process that called them was frozen is their answer', async () => {
  await using api = await startApiProcess(hub)
  await using fleet = await connectedFleet('caller')

  const answers = callAll('caller', api.request)
  await eventually(() => expect(fleet.methodCallCount).toBe(count))
  api.signal('SIGSTOP')
  // The caller would wait five seconds longer than the devices have.
  await passed((responseTimeoutInSeconds + 6) * 1000)
  api.signal('SIGCONT')

  expect(new Set(await answers)).toEqual(new Set(['answered']))
})
