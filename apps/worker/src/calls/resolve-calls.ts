import type { CallResult } from '@muster/bus'
import type { GatewayId, JsonText } from '@muster/contract'
import { readPayloads } from '@muster/operations'
import type { Hub } from '@muster/runtime'
import { type Attempt, type Claim, isTakenOver } from '../claim.ts'
import { persistently } from '../outcomes/persistently.ts'
import type { Decided } from '../outcomes/record-outcomes.ts'
import type { Routed } from '../route.ts'

/** Devices of one gateway that get the same payload. */
export interface ResolvedCall {
  readonly gatewayId: GatewayId
  readonly payload: JsonText
  readonly attempts: readonly Attempt[]
}

/**
 * The calls of a claim. Of most jobs all devices get the same payload; of one with parameters those go together for which it comes out
 * alike. Adds the outcomes of devices for which there is none.
 */
export async function resolveCalls(
  { db }: Pick<Hub, 'db'>,
  claim: Claim,
  routed: Routed,
  signal: AbortSignal,
): Promise<{ readonly calls: readonly ResolvedCall[] } & Pick<Routed, 'unknown' | 'outcomes'>> {
  const deviceIds = [...routed.byGateway.values()].flat().map(({ deviceId }) => deviceId)
  const payloadFor = await persistently(() => readPayloads(db, claim.job, deviceIds), signal)
  const calls: ResolvedCall[] = []
  const unknown: CallResult[] = []
  const outcomes: Decided[] = []
  for (const [gatewayId, attempts] of routed.byGateway) {
    const byPayload = new Map<JsonText, Attempt[]>()
    for (const attempt of attempts) {
      const resolved = payloadFor(attempt.deviceId)
      if ('value' in resolved) byPayload.set(resolved.value, [...(byPayload.get(resolved.value) ?? []), attempt])
      // An earlier worker may have called the device, when its twin was another one.
      else if (isTakenOver(claim, attempt)) unknown.push({ identity: attempt.deviceId, kind: 'forgotten' })
      else if (resolved.error === null) outcomes.push({ attempt, outcome: { kind: 'skipped' } })
      else outcomes.push({ attempt, outcome: { kind: 'failed', error: resolved.error } })
    }
    for (const [payload, called] of byPayload) calls.push({ gatewayId, payload, attempts: called })
  }
  return { calls, unknown: [...routed.unknown, ...unknown], outcomes: [...routed.outcomes, ...outcomes] }
}
