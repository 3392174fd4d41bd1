import { randomUUID } from 'node:crypto'
import {
  errorCodes,
  HubError,
  isTooDeep,
  type Json,
  type JsonObject,
  limits,
  parseSection,
  partsOf,
  trackingIdOf,
} from '@muster/contract'
import { devicesAccount } from '@muster/runtime'
import { patchReported, readProperties } from '@muster/store'
import { type Gateway, isOverloaded } from './gateway.ts'
import { noteTold } from './notifications.ts'
import { isSubscribed, type Session, send } from './session.ts'
import { type DeviceTopic, twinResponseTopic } from './topics.ts'

type TwinGet = Extract<DeviceTopic, { kind: 'twinGet' }>
type ReportedPatch = Extract<DeviceTopic, { kind: 'reportedPatch' }>

/** Twin requests of one connection. Those above are refused as too many. */
const requestsWaitingMax = 32

/** Answers with the desired and the reported properties. Notifications that come meanwhile wait behind it. */
export function readTwin(gateway: Gateway, session: Session, { rid }: TwinGet): void {
  inTurn(gateway, session, { rid, throttle: 'twinReads' }, async () => {
    if (session.endReason !== null) return
    const properties = await gateway.statements(() => readProperties(gateway.db, session.identity))
    if (properties === null) throw twinMissing(session)
    const isSent = respond(session, { status: 200, rid }, properties)
    if (isSent) noteTold(session, Number(properties.desired.$version))
  })
}

/** Merges the patch into the reported properties, in the order in which the device sent its patches. */
export function reportProperties(gateway: Gateway, session: Session, topic: ReportedPatch, payload: Buffer): void {
  const { rid, baseVersion } = topic
  inTurn(gateway, session, { rid, throttle: 'twinUpdates' }, async () => {
    const patch = parsePatch(payload)
    const options = { version: parseVersion(baseVersion) }
    const { db, clock, statements, events } = gateway
    const result = await statements(() => patchReported(db, session.identity, patch, options, clock.now()))
    if (result.kind === 'missing') throw twinMissing(session)
    if (result.kind === 'version') {
      throw new HubError('PreconditionFailed', { message: `the reported properties are not of version ${baseVersion}` })
    }
    events.reportedPatched({ deviceId: session.identity })
    respond(session, { status: 204, rid, version: result.version })
  })
}

/** Runs a twin request after those before it, and turns what it throws into an answer. */
function inTurn(
  gateway: Gateway,
  session: Session,
  { rid, throttle }: { rid: string; throttle: 'twinReads' | 'twinUpdates' },
  work: () => Promise<void>,
): void {
  const refuse = (error: unknown) => {
    const known = error instanceof HubError ? error : new HubError('ServerError', { message: 'The hub failed.' })
    if (error !== known) gateway.events.gatewayFailed({ step: 'twin', error })
    const now = gateway.clock.now()
    const trackingId = trackingIdOf(randomUUID(), now)
    gateway.events.requestRefused({ method: 'PUBLISH', route: routes[throttle], code: known.code, trackingId })
    respond(session, { status: known.httpStatus, rid }, describe(known, trackingId, now))
  }
  if (session.inOrder.pendingCount >= requestsWaitingMax || isOverloaded(gateway)) {
    refuse(new HubError('ThrottlingException', { message: 'Too many twin requests are waiting.' }))
  } else {
    session
      .inOrder(async () => {
        const retryAfterMs = await gateway.throttles.take(throttle, devicesAccount)
        if (retryAfterMs !== null) throw new HubError('ThrottlingException', { message: `Too many ${throttle}.` })
        await work()
      })
      .catch(refuse)
  }
}

/** False: the device is gone, or not subscribed to answers. */
function respond(session: Session, response: Parameters<typeof twinResponseTopic>[0], body?: JsonObject): boolean {
  if (session.endReason !== null || !isSubscribed(session, 'twinResponses')) return false
  send(session, twinResponseTopic(response), body === undefined ? '' : JSON.stringify(body))
  return true
}

/** Some SDKs ignore the status in the topic: they take an answer for an error by its `errorCode`. */
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
  const value = parseJson(payload)
  if (isTooDeep(value)) {
    throw new HubError('IotHubFormatError', {
      message: `a reported patch must not nest deeper than ${limits.jsonDepth} levels`,
    })
  }
  const patch = parseSection('reported', value)
  if (patch === null) {
    throw new HubError('IotHubFormatError', { message: 'a reported patch must be an object, got null' })
  }
  return patch
}

function parseJson(payload: Buffer): Json {
  try {
    return JSON.parse(payload.toString())
  } catch (cause) {
    throw new HubError('IotHubFormatError', { message: 'the payload of a reported patch must be a JSON object', cause })
  }
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
