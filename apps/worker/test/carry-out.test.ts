import { gatewayId, jobKey, jsonText } from '@muster/contract'
import { eventually } from '@muster/testkit'
import { expect, it, onTestFinished } from 'vitest'
import { carryOut } from '../src/carry-out.ts'
import { createRoom } from '../src/places.ts'
import { given } from './given.ts'
import { givenClaims, unwritable } from './given-claims.ts'

it('J34 an outcome that cannot be written holds up none that comes later for the same claim, nor its place', async () => {
  const { sql, hub, pauses, recorder, claims } = await givenClaims({ devices: 2, chunkSize: 2, isConnected: true })
  const room = createRoom(2)
  const places = given(room.tryReserve(jobKey(1), 2))
  let answer = () => {}
  const door = await hub.bus.serveGateway(gatewayId('gateway-1'), {
    call: ({ targets }, report) => {
      const [first, second] = targets.map(({ identity }) => identity)
      report({ identity: given(first ?? null), kind: 'badAnswer', reason: unwritable })
      answer = () => report({ identity: given(second ?? null), kind: 'answered', status: 200, payload: jsonText(null) })
    },
    dropCall: () => {},
    pushDesired: () => {},
    closeConnection: () => {},
  })
  onTestFinished(() => door[Symbol.asyncDispose]())
  const signal = new AbortController().signal

  const carriedOut = carryOut(hub, given(claims[0] ?? null), { recorder, places, signal })
  await pauses.first
  answer()
  const sums = () => sql`select succeeded, failed, running from chunks`
  await eventually(async () => expect(await sums()).toEqual([{ succeeded: 1, failed: 0, running: 1 }]))
  using freed = await eventually(() => given(room.tryReserve(jobKey(2), 1)))
  const more = room.tryReserve(jobKey(2), 1)
  pauses.end()
  await carriedOut

  expect([freed, more]).toEqual([expect.anything(), null])
  expect(await sums()).toEqual([{ succeeded: 1, failed: 1, running: 0 }])
})
