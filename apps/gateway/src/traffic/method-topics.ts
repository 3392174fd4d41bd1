import { findTooLarge, jsonText, limits, noNumberText } from '@muster/contract'
import { type CallOutcome, settleCall } from '../sessions/pending-call.ts'
import type { Session } from '../sessions/session.ts'
import { type Payload, readPayload } from '../topics/payload.ts'
import type { DeviceTopic } from '../topics/topics.ts'

/** Handles the answer of a device to a method: an integer status, and valid JSON or nothing. */
export function receiveAnswer(
  session: Session,
  { rid, status }: Extract<DeviceTopic, { kind: 'methodAnswer' }>,
  payload: Buffer,
): void {
  settleCall(session.calls, rid, readAnswer(status, payload))
}

const nothing: Payload = { kind: 'json', value: null, text: jsonText(null), numberText: noNumberText }

function readAnswer(status: string, payload: Buffer): CallOutcome {
  if (!/^-?\d+$/.test(status)) return bad('its status is no integer')
  if (!isInt32(Number(status))) return bad(`its status is not between ${int32Min} and ${int32Max}`)
  if (payload.length > limits.methodPayloadBytes) return bad(`it is larger than ${limits.methodPayloadBytes / 1024} KB`)
  const answer = payload.length === 0 ? nothing : readPayload(payload)
  if (answer.kind === 'bad') return bad(`it ${answer.fault}`)
  if (findTooLarge(answer.value, '') !== null) return bad('it holds a number that is too large')
  return { kind: 'answered', status: Number(status), payload: answer.text }
}

function bad(reason: string): CallOutcome {
  return { kind: 'badAnswer', reason }
}

/** Service SDKs store a status in 32 bits. */
const int32Min = -(2 ** 31)
const int32Max = 2 ** 31 - 1

function isInt32(value: number): boolean {
  return int32Min <= value && value <= int32Max
}
