import { type CallResult, type CallTarget, callIdOf, type DeviceCall, deliverBefore } from '@muster/bus'
import { decideCall, operationOf, type Tries } from '@muster/operations'
import type { Hub } from '@muster/runtime'
import { windowEnd } from '@muster/store'
import { type ResolvedCall, resolveCalls } from './calls/resolve-calls.ts'
import { type Attempt, askedSince, type Claim, isTakenOver } from './claim.ts'
import { eachAtOnce } from './each-at-once.ts'
import { type Decided, deliveryOf } from './outcomes/record-outcomes.ts'
import type { Recorder } from './outcomes/recorder.ts'
import type { Places } from './places.ts'
import { route } from './route.ts'

type Tools = Pick<Hub, 'db' | 'bus' | 'clock' | 'tracing'>

/** Calls the devices of a claim and records the outcomes. Ends early when the signal aborts, with the rest unrecorded. */
export async function carryOut(
  hub: Tools,
  claim: Claim,
  { recorder, places, signal }: { recorder: Recorder; places: Places; signal: AbortSignal },
): Promise<void> {
  const operation = operationOf(claim.job.type)
  if (operation.kind !== 'device') throw new TypeError(`${claim.job.type} calls no devices`)

  const attempts = new Map(claim.attempts.map((attempt) => [attempt.deviceId, attempt]))
  const recordAndRelease = async (decided: readonly Decided[]) => {
    await recorder.record(claim, decided)
    places.release(decided.length)
  }
  const decideAll = (results: readonly CallResult[]) =>
    results.flatMap((told): Decided[] => {
      const attempt = attempts.get(told.identity)
      if (attempt === undefined) return []
      // That nobody listens now says nothing about an earlier ask.
      const isUntold = told.kind === 'noGateway' && isTakenOver(claim, attempt)
      const result: CallResult = isUntold ? { identity: told.identity, kind: 'forgotten' } : told
      const decided = decideCall(operation, result, claim.job, triesOf(claim, attempt, hub.clock))
      return [{ attempt, ...decided, ...deliveryOf(result) }]
    })

  const { calls, unknown, outcomes } = await resolveCalls(hub, claim, await route(hub, claim, signal), signal)
  const method = operation.call(claim.job.body)
  const call = ({ gatewayId, payload, attempts: called }: ResolvedCall) => {
    const span = hub.tracing.begin('call gateway', {
      kind: 'client',
      parent: claim.span.traceparent,
      attributes: { 'muster.gateway.id': gatewayId, 'muster.device.count': called.length },
    })
    const targets = called.map((attempt) => targetOf(claim, attempt))
    const call = { ...method, payload, ...callOf(claim), gatewayId, targets, traceparent: span.traceparent }
    const results = hub.bus.callDevices(call, { signal, patience: 'long' })
    // What waits to be recorded is bounded: a device has one result, and keeps its place until that is recorded.
    return eachAtOnce(results, (some) => recordAndRelease(decideAll(some))).finally(() => span.end())
  }
  // The calls wait for no outcome: no device gets them later than some seconds after the claim.
  const known = () => recordAndRelease([...outcomes, ...decideAll(unknown)])
  await eachAtOnce([known, () => eachAtOnce(calls, call)], (begin) => begin())
}

/** All calls of a job have its key, so that no gateway gives a device two of them. */
function callOf({ job, claimedAt }: Claim): Pick<DeviceCall, 'callId' | 'deliverBeforeMs'> {
  return {
    callId: callIdOf(job.key),
    deliverBeforeMs: Math.min(
      deliverBefore(claimedAt),
      (windowEnd(job, claimedAt) ?? job.deadlineAt).getTime(),
      job.deadlineAt.getTime(),
    ),
  }
}

function targetOf(claim: Claim, attempt: Attempt): CallTarget {
  const { deviceId, deliveries, unknownDeliveries } = attempt
  const delivery = deliveries + unknownDeliveries + 1
  return { identity: deviceId, delivery, askedSinceMs: askedSince(claim, attempt).getTime() }
}

function triesOf({ job }: Claim, { deliveries, unknownDeliveries, notNows }: Attempt, clock: Hub['clock']): Tries {
  const { deadlineAt } = job
  return { calls: deliveries + unknownDeliveries, notNows, now: clock.now(), deadlineAt, random: Math.random() }
}
