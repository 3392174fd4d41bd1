import { randomUUID } from 'node:crypto'
import {
  errorCodes,
  HubError,
  type JsonObject,
  limits,
  parseSection,
  partsOf,
  trackingIdOf,
  writeJson,
} from '@muster/contract'
import type { EndReason } from '@muster/runtime'
import { isWorthRepeating, patchReported, readProperties } from '@muster/store'
import { type Gateway, isOverloaded } from '../gateway.ts'
import { endSession, isSubscribed, type Session, send } from '../sessions/session.ts'
import { readPayload } from '../topics/payload.ts'
import { type DeviceTopic, twinResponseTopic } from '../topics/topics.ts'
import { noteTold } from './notifications.ts'

type TwinGet = Extract<DeviceTopic, { kind: 'twinGet' }>
type ReportedPatch = Extract<DeviceTopic, { kind: 'reportedPatch' }>

/** Twin requests of one connection that may wait. More are refused. */
const requestsWaitingMax = 32

/** Answers with the desired and the reported properties. Notifications that come meanwhile wait until it is sent. */
export function readTwin(gateway: Gateway, session: Session, { rid }: TwinGet): void {
  answerInOrder(gateway, session, { rid, throttle: 'twinReads' }, async () => {
    if (session.endReason !== null) return
    const properties = await gateway.statements(async () =>
      // Its turn in the limiter may come long after its turn here.
      session.endReason === null ? readProperties(gateway.db, session.identity) : 'gone',
    )
    if (properties === 'gone') return
    if (properties === null) throw twinMissing(session)
    const isSent = respond(gateway, session, { status: 200, rid }, properties)
    if (isSent) noteTold(session, Number(properties.desired.$version))
  })
}

/**
 * Merges the patch into the reported properties, in the order in which the device sent its patches. When a newer connection of the
 * identity was answered first, the patch is dropped.
 */
export function reportProperties(gateway: Gateway, session: Session, topic: ReportedPatch, payload: Buffer): void {
  const { rid, baseVersion } = topic
  answerInOrder(gateway, session, { rid, throttle: 'twinUpdates' }, async () => {
    const { db, clock, statements, events } = gateway
    const { identity, connectionNo } = session
    const patch = parsePatch(payload)
    const options = { version: parseVersion(baseVersion), connectionNo }
    const result = await statements(async () =>
      // Its turn in the limiter may come long after its turn here.
      isTakenAway(session) ? outdated : patchReported(db, identity, patch, options, clock.now()),
    )
    switch (result.kind) {
      case 'outdated':
        return endSession(session, 'takeover')
      case 'missing':
        throw twinMissing(session)
      case 'version':
        throw new HubError('PreconditionFailed', {
          message: `the reported properties are not of version ${baseVersion}`,
        })
      case 'patched':
        events.reportedPatched({ deviceId: identity })
        gateway.bus.noteChanged([identity])
        respond(gateway, session, { status: 204, rid, version: result.version })
    }
  })
}

const outdated = { kind: 'outdated' } as const

/** Ends by which the hub takes the connection away, and drops its waiting requests. After any other end they are carried out. */
const takingAway: readonly (EndReason | null)[] = ['takeover', 'expired', 'disabled', 'rekeyed', 'deleted', 'stale']

function isTakenAway({ endReason }: Session): boolean {
  return takingAway.includes(endReason)
}

/** Runs a twin request after those before it, and answers an error that it throws. */
function answerInOrder(
  gateway: Gateway,
  session: Session,
  { rid, throttle }: { rid: string; throttle: 'twinReads' | 'twinUpdates' },
  work: () => Promise<void>,
): void {
  const refuse = (error: unknown) => {
    const known = error instanceof HubError ? error : hubFault(error)
    if (error !== known) gateway.events.gatewayFailed({ step: 'twin', error })
    const now = gateway.clock.now()
    const trackingId = trackingIdOf(randomUUID(), now)
    gateway.events.requestRefused({
      method: 'PUBLISH',
      route: routes[throttle],
      code: known.code,
      jobId: null,
      account: `device:${session.identity}`,
      clientAddress: null,
      trackingId,
    })
    respond(gateway, session, { status: known.httpStatus, rid }, describe(known, trackingId, now))
  }
  if (session.inOrder.pendingCount >= requestsWaitingMax || isOverloaded(gateway.statements)) {
    refuse(new HubError('ThrottlingException', { message: 'Too many twin requests are waiting.' }))
  } else {
    session
      .inOrder(async () => {
        const retryAfterMs = await gateway.throttles.take(throttle, 'devices')
        if (retryAfterMs !== null) throw new HubError('ThrottlingException', { message: `Too many ${throttle}.` })
        await work()
      })
      .catch(refuse)
  }
}

/** The caller does not see the text of the original error. */
function hubFault(error: unknown): HubError {
  return isWorthRepeating(error)
    ? new HubError('ServiceUnavailable', { message: 'The database of the hub does not answer, try again.' })
    : new HubError('ServerError', { message: 'The hub failed.' })
}

/** False: the device is gone, or not subscribed to answers. */
function respond(
  { metrics }: Gateway,
  session: Session,
  response: Parameters<typeof twinResponseTopic>[0],
  body?: JsonObject,
): boolean {
  if (session.endReason !== null || !isSubscribed(session, 'twinResponses')) return false
  send(session, twinResponseTopic(response), body === undefined ? '' : writeJson(body))
  metrics.muster_mqtt_messages_total.inc({ kind: 'twinResponse' })
  return true
}

/** Some SDKs ignore the status in the topic. For them an answer is an error if it has an `errorCode`. */
function describe(error: HubError, trackingId: string, now: Date): JsonObject {
  return {
    errorCode: errorCodes[error.code],
    trackingId,
    message: error.message,
    timestampUtc: now.toISOString(),
  }
}

const routes = { twinReads: '$iothub/twin/GET', twinUpdates: '$iothub/twin/PATCH/properties/reported' } as const

function parsePatch(payload: Buffer): JsonObject {
  const read = readPayload(payload)
  if (read.kind === 'bad') {
    throw new HubError('IotHubFormatError', {
      message: `a reported patch must be a JSON object in UTF-8 of at most ${limits.jsonDepth} levels, and this one ${read.fault}`,
    })
  }
  const patch = parseSection('reported', read.value, read.numberText)
  if (patch === null) {
    throw new HubError('IotHubFormatError', { message: 'a reported patch must be an object, got null' })
  }
  return patch
}

function parseVersion(text: string | null): number | null {
  if (text === null) return null
  if (!/^\d{1,15}$/.test(text)) {
    throw new HubError('ArgumentInvalid', { message: `$version must be an integer, got "${text}"` })
  }
  return Number(text)
}

function twinMissing({ identity }: Session): HubError {
  const code = partsOf(identity).moduleId === null ? 'DeviceNotFound' : 'ModuleNotFound'
  return new HubError(code, { message: `${identity} is not registered any more` })
}
