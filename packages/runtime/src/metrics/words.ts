import type { CallResult } from '@muster/bus'
import { isTerminal, jobStatuses } from '@muster/contract'
import { roleNames } from '../config/role-names.ts'

// The words that are labels of metrics and fields of events. The lists are closed, so that every series exists from the start, with 0.

/** The two stores. */
export const storeNames = ['postgres', 'redis'] as const

/** The checks of readiness: the stores, the time of the hub, and each role. */
export const checkNames = [...storeNames, 'clock', ...roleNames] as const
export type CheckName = (typeof checkNames)[number]

/** What happens after a store that a whole hub runs itself ends without being asked. */
export const storeIncidentKinds = ['ended', 'restarted', 'restartFailed'] as const

/** Why a request for a page of the operator was refused: without a token, or with another one. */
export const doorReasons = ['missing', 'wrong'] as const

/** A job to look at; its ready chunks; its due device jobs; the desired properties or the connection of a device; a webhook's due events. */
export const wakeUpKinds = ['job', 'chunks', 'due', 'desired', 'connection', 'webhook'] as const

/** The statuses of a job that has not ended. */
export const openStatuses = jobStatuses.filter((status) => !isTerminal(status))

/** The statuses of a job that has ended. */
export const endStatuses = jobStatuses.filter(isTerminal)

/** Devices of running jobs, by what has to happen next: see `readWorkFigures`. */
export const workStates = ['ready', 'due', 'leased', 'waiting'] as const

/** The pools of connections to Postgres. The API has one of its own if it has other roles beside it. */
export const poolNames = ['main', 'api'] as const
export type PoolName = (typeof poolNames)[number]

/** What came of one attempt on a device, as the worker records it. */
export const recordedOutcomes = ['succeeded', 'failed', 'retried', 'waiting'] as const

/** What came of a try to send an event to a webhook. */
export const tryOutcomes = ['delivered', 'failed', 'dead'] as const

/** What came of a time of a schedule that was not missed. */
export const scheduleOutcomes = ['started', 'queued', 'skipped'] as const

/** Why the connection of a device ended. */
export const endReasons = [
  'disconnect',
  'lost',
  'keepAlive',
  'protocol',
  'takeover',
  'expired',
  'disabled',
  'rekeyed',
  'deleted',
  'slow',
  'stale',
  'shutdown',
] as const
export type EndReason = (typeof endReasons)[number]

/** Why a connection was refused before it was open. */
export const refusalReasons = [
  'protocol',
  'clientId',
  'stopping',
  'busy',
  'throttled',
  'timeout',
  'failed',
  'takeover',
  'gone',
  'userName',
  'hostName',
  'unknown',
  'disabled',
  'token',
  'certificate',
  'expired',
] as const

/** What came of a direct method. */
export const callOutcomes = [
  'answered',
  'noAnswer',
  'badAnswer',
  'notOnline',
  'busy',
  'expired',
  'noGateway',
  'connectionLost',
  'takenOver',
  'gatewayLost',
  'forgotten',
] as const satisfies readonly CallResult['kind'][]

/** A gateway knows of a call that it was written to the connection, unless it says that it was not. */
export function isDelivered(outcome: (typeof callOutcomes)[number]): boolean {
  return ['answered', 'noAnswer', 'badAnswer', 'connectionLost', 'takenOver'].includes(outcome)
}

/** The steps of a gateway that may fail. */
export const gatewaySteps = [
  'accept',
  'connect',
  'publish',
  'subscribe',
  'unsubscribe',
  'twin',
  'notify',
  'heartbeat',
  'recordActivity',
  'markReachable',
  'closeSession',
  'confirmSessions',
  'closeDoor',
  'leave',
] as const
export type GatewayStep = (typeof gatewaySteps)[number]

/** What devices send (the first four), and what is sent to them. */
export const messageKinds = [
  'twinGet',
  'reportedPatch',
  'methodAnswer',
  'telemetry',
  'twinResponse',
  'desiredPatch',
  'methodCall',
] as const

/** What is written in sets. */
export const groupedWrites = ['activity', 'reachable', 'closed', 'confirmed', 'outcomes'] as const
export type GroupedWrite = (typeof groupedWrites)[number]

/**
 * Why a stream of events ended: its job has, or its reader left, lagged too far, or had a token that expired; the process stops; or the
 * events could not be read.
 */
export const streamEnds = ['ended', 'left', 'slow', 'expired', 'stopping', 'failed'] as const
export type StreamEnd = (typeof streamEnds)[number]

/** Classes of HTTP statuses. `device`: an answer of 500 or more for which the device is at fault, and not the hub. */
export const answerClasses = ['1xx', '2xx', '3xx', '4xx', '5xx', 'device'] as const
