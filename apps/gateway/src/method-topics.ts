import { type Json, limits } from '@muster/contract'
import { type CallOutcome, settleCall } from './calls.ts'
import type { Session } from './session.ts'
import type { DeviceTopic } from './topics.ts'

/** Takes a device's answer to a method: an integer status, and JSON or nothing. */
export function receiveAnswer(
  session: Session,
  { rid, status }: Extract<DeviceTopic, { kind: 'methodAnswer' }>,
  payload: Buffer,
): void {
  settleCall(session, rid, readAnswer(status, payload))
}

function readAnswer(status: string, payload: Buffer): CallOutcome {
  if (!/^-?\d{1,10}$/.test(status)) return bad(`its status is no integer`)
  if (payload.length > limits.methodPayloadBytes) {
    return bad(`its payload takes ${payload.length} bytes; at most ${limits.methodPayloadBytes} are allowed`)
  }
  const json = payload.length === 0 ? { value: null } : parse(payload.toString())
  return json === null
    ? bad('its payload is no JSON')
    : { kind: 'answered', status: Number(status), payload: json.value }
}

function bad(reason: string): CallOutcome {
  return { kind: 'badAnswer', reason: `The device sent an answer that cannot be used: ${reason}.` }
}

function parse(text: string): { readonly value: Json } | null {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return null
  }
}
