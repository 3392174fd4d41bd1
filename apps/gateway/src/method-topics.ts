import { isTooDeep, type Json, limits } from '@muster/contract'
import { type CallOutcome, settleCall } from './calls.ts'
import type { Session } from './session.ts'
import type { DeviceTopic } from './topics.ts'

/** Takes a device's answer to a method: an integer status, and JSON that the rest of the hub can carry, or nothing. */
export function receiveAnswer(
  session: Session,
  { rid, status }: Extract<DeviceTopic, { kind: 'methodAnswer' }>,
  payload: Buffer,
): void {
  settleCall(session, rid, readAnswer(status, payload))
}

function readAnswer(status: string, payload: Buffer): CallOutcome {
  if (!/^-?\d{1,10}$/.test(status)) return bad('its status is no integer')
  if (payload.length > limits.methodPayloadBytes) return bad(`it is larger than ${limits.methodPayloadBytes / 1024} KB`)
  const json = payload.length === 0 ? { value: null } : parse(payload.toString())
  if (json === null) return bad('it is no JSON')
  if (isTooDeep(json.value)) return bad(`it nests deeper than ${limits.jsonDepth} levels`)
  if (!hasFiniteNumbers(json.value)) return bad('it holds a number that is too large')
  return { kind: 'answered', status: Number(status), payload: json.value }
}

function bad(reason: string): CallOutcome {
  return { kind: 'badAnswer', reason }
}

/** A number that no double can hold is parsed to infinity, which JSON cannot say again. */
function hasFiniteNumbers(value: Json): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  return typeof value !== 'object' || value === null || Object.values(value).every(hasFiniteNumbers)
}

function parse(text: string): { readonly value: Json } | null {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return null
  }
}
