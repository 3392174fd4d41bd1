import { gatewayId, jsonText, storedIdentity } from '@muster/contract'
import { eventually, uniquePrefix } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Bus, type CallResult, connectBus, type DeviceCall, type GatewayDoor, newCall } from '../src/index.ts'

let caller: Bus
let gateway: Bus
const never = new AbortController().signal

beforeAll(async () => {
  const options = { url: inject('redisUrl'), prefix: uniquePrefix(), onError: () => {} }
  caller = await connectBus(options)
  gateway = await connectBus(options)
})
afterAll(async () => {
  await caller[Symbol.asyncDispose]()
  await gateway[Symbol.asyncDispose]()
})

describe('a call of devices', () => {
  it('yields one result for each device, as they come', async () => {
    const id = gatewayId('answers')
    const late: (() => void)[] = []
    await using _ = await gateway.serveGateway(
      id,
      door({
        call: ({ targets }, report) => {
          for (const { identity } of targets) {
            const answer = () => report({ identity, kind: 'answered', status: 200, payload: jsonText({ identity }) })
            if (identity === 'slow') late.push(answer)
            else answer()
          }
        },
      }),
    )
    const batches: (readonly CallResult[])[] = []

    for await (const results of caller.callDevices(call(id, ['a', 'b', 'slow']), {
      signal: never,
      patience: 'short',
    })) {
      batches.push(results)
      late.pop()?.()
    }

    expect(batches.map((batch) => batch.map(({ identity }) => identity))).toEqual([['a', 'b'], ['slow']])
  })

  it('takes the first of two results for one device', async () => {
    const id = gatewayId('twice')
    await using _ = await gateway.serveGateway(
      id,
      door({
        call: (_, report) => {
          report({ identity: 'a', kind: 'noAnswer' })
          report({ identity: 'a', kind: 'connectionLost' })
          report({ identity: 'b', kind: 'notOnline' })
        },
      }),
    )

    expect(await collect(call(id, ['a', 'b']))).toEqual([
      { identity: 'a', kind: 'noAnswer' },
      { identity: 'b', kind: 'notOnline' },
    ])
  })

  it('of a gateway that is not there is not delivered, and it ends at once', async () => {
    expect(await collect(call(gatewayId('nobody'), ['a', 'b']))).toEqual([
      { identity: 'a', kind: 'noGateway' },
      { identity: 'b', kind: 'noGateway' },
    ])
  })

  it('of no device ends at once', async () => {
    expect(await collect(call(gatewayId('nobody'), []))).toEqual([])
  })

  it('ends without the missing results when it is aborted', async () => {
    const id = gatewayId('silent')
    const aborting = new AbortController()
    await using _ = await gateway.serveGateway(id, door({ call: () => aborting.abort() }))

    expect(await collect(call(id, ['a']), aborting.signal)).toEqual([])
  })
})

it('pushes and closes reach the gateway, and say so when there is none', async () => {
  const id = gatewayId('told')
  const heard: unknown[] = []
  await using _ = await gateway.serveGateway(
    id,
    door({ pushDesired: (push) => heard.push(push), closeConnection: (close) => heard.push(close) }),
  )
  const push = { patch: { interval: 5 }, devices: [{ identity: 'a', version: 3 }] }
  const close = { identity: storedIdentity('a/m'), connectionNo: 2, reason: 'takeover' } as const

  const told = [await caller.pushDesired(id, push), await caller.closeConnection(id, close)]
  const untold = await caller.pushDesired(gatewayId('nobody'), push)

  await eventually(() => expect(heard).toEqual([push, close]))
  expect([told, untold]).toEqual([[true, true], false])
})

function door(parts: Partial<GatewayDoor>): GatewayDoor {
  return { call: () => {}, dropCall: () => {}, pushDesired: () => {}, closeConnection: () => {}, ...parts }
}

function call(id: DeviceCall['gatewayId'], identities: string[]): DeviceCall {
  return newCall(
    { gatewayId: id, identities, methodName: 'ping', payload: jsonText(null), responseTimeoutSeconds: 5 },
    new Date(),
  )
}

async function collect(request: DeviceCall, signal = never): Promise<CallResult[]> {
  const results: CallResult[] = []
  for await (const batch of caller.callDevices(request, { signal, patience: 'short' })) results.push(...batch)
  return results
}
