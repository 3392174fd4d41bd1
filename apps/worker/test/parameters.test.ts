// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so the parameters of a job are written
import type { DeviceCall } from '@muster/bus'
import { gatewayId, jobKey, jsonText } from '@muster/contract'
import { expect, it, onTestFinished } from 'vitest'
import { carryOut } from '../src/carry-out.ts'
import type { Claim } from '../src/claim.ts'
import { createRoom } from '../src/places.ts'
import { given, noon } from './given.ts'
import { givenClaims } from './given-claims.ts'

function after(seconds: number): Date {
  return new Date(noon.getTime() + seconds * 1000)
}

/** Carries out a claim of four devices, of which the last has no tags, with `payload` for each. Tells the calls that a gateway gets. */
async function carriedOut(payload: string, change: (claim: Claim) => Claim) {
  const { sql, hub, recorder, claims } = await givenClaims({ devices: 4, chunkSize: 4, isConnected: true })
  const claim = given(claims[0] ?? null)
  await sql`update twins set tags = '{"floor":1}' where device_id <> 'device-3'`
  await sql`update twins set tags = '{"floor":2}' where device_id = 'device-0'`
  const calls: DeviceCall[] = []
  const door = await hub.bus.serveGateway(gatewayId('gateway-1'), {
    call: (call, report) => {
      calls.push(call)
      for (const { identity } of call.targets)
        report({ identity, kind: 'answered', status: 200, payload: jsonText(null) })
    },
    dropCall: () => {},
    pushDesired: () => {},
    closeConnection: () => {},
  })
  onTestFinished(() => door[Symbol.asyncDispose]())
  const job = { ...claim.job, body: { ...claim.job.body, payload }, extensions: { parameters: {} } }
  const places = given(createRoom(4).tryReserve(jobKey(1), 4))
  await carryOut(hub, change({ ...claim, job }), { recorder, places, signal: new AbortController().signal })
  const rows = await sql`
    select device_id, status, error_code, unknown_deliveries from device_jobs order by device_id`
  return { calls: calls.map(({ targets, payload }) => [payload, targets.map(({ identity }) => identity)]).sort(), rows }
}

it('R97 R98 devices for which the payload comes out alike are one call, and one without a value gets none', async () => {
  const { calls, rows } = await carriedOut('{"floor":"${tags.floor}"}', (claim) => claim)

  expect(calls).toEqual([
    ['{"floor":1}', ['device-1', 'device-2']],
    ['{"floor":2}', ['device-0']],
  ])
  expect(rows).toMatchObject([
    { status: 'completed' },
    { status: 'completed' },
    { status: 'completed' },
    { status: 'failed', error_code: 'ArgumentInvalid', unknown_deliveries: 0 },
  ])
})

it('R98 J23 a device that an earlier worker may have called does not read as one that was not', async () => {
  const { rows } = await carriedOut('"${tags.floor}"', (claim) => ({
    ...claim,
    claimedAt: after(10),
    attempts: claim.attempts.map((attempt) => ({ ...attempt, askedSince: after(5) })),
  }))

  expect(rows[3]).toMatchObject({
    status: 'failed',
    error_code: 'DeviceConnectionClosedRemotely',
    unknown_deliveries: 1,
  })
})
