import { EventEmitter } from 'node:events'
import {
  type ErrorName,
  errorNames,
  isTerminal,
  type JobStatus,
  type JobType,
  jobStatuses,
  jobTypes,
} from '@muster/contract'
import { type SweepName, sweepNames } from '@muster/store'
import type { Level, Logger } from 'pino'
import { Counter, Gauge, Histogram } from 'prom-client'
import { type RoleName, roleNames } from '../config/role-names.ts'
import { type ThrottleName, throttleNames } from '../config/throttle-rates.ts'
import {
  type CheckName,
  callOutcomes,
  checkNames,
  type EndReason,
  endReasons,
  type GatewayStep,
  gatewaySteps,
  recordedOutcomes,
  refusalReasons,
  storeIncidentKinds,
  storeNames,
  wakeUpKinds,
} from './labels.ts'
import type { Metrics } from './metrics.ts'

/**
 * Every event of the hub and its fields. One event is one log line, one metric and one signal that tests can await. Ids go to the log
 * only, because labels must be bounded: `reason`, `outcome`, `step` and `sweep` are words of a closed list. No field is ever a
 * payload, a key or a token.
 */
interface EventFields {
  hubStarting: { version: string; roles: readonly RoleName[] }
  hubStarted: { roles: readonly RoleName[]; https: number | null; http: number; mqtts: number | null; seconds: number }
  httpsPortReplaced: { wanted: number; bound: number }
  hubStopping: { reason: string }
  roleStopped: { role: RoleName; seconds: number }
  readinessLost: { check: CheckName; error: unknown }
  busFailed: { error: unknown }
  clockMeasured: { offsetSeconds: number; errorSeconds: number }
  clockTrusted: { errorSeconds: number }
  clockDoubted: { reason: string }
  storeIncident: { store: Word<typeof storeNames>; kind: Word<typeof storeIncidentKinds>; message: string }
  certificateLoaded: { expiresAt: Date }
  certificateRefused: { error: unknown }
  connectionNotAccepted: { error: unknown }

  throttled: { throttle: ThrottleName }
  requestServed: { method: string; route: string; status: number; seconds: number; trackingId: string }
  requestRefused: { method: string; route: string; code: ErrorName; trackingId: string }
  requestFailed: { trackingId: string; error: unknown }
  issuerFailed: { error: unknown }
  jobCreated: { jobId: string; type: JobType }
  jobCancelled: { jobId: string; type: JobType }

  jobStarted: { jobId: string; type: JobType; deviceCount: number }
  jobEnded: { jobId: string; type: JobType; status: JobStatus }
  chunkRecorded: { jobKey: string; type: JobType; succeeded: number; failed: number; retried: number; waiting: number }
  deviceJobFailed: { jobKey: string; deviceId: string; trackingId: string; error: unknown }
  claimLost: { jobKey: string; type: JobType }
  wakeUpLost: { kind: Word<typeof wakeUpKinds> }
  wakeUpFailed: { kind: Word<typeof wakeUpKinds>; jobKey: string; error: unknown }
  leaseRenewalFailed: { error: unknown }
  sweepRepaired: { sweep: SweepName; count: number }
  sweepFailed: { sweep: SweepName; error: unknown }

  deviceConnected: { deviceId: string }
  deviceDisconnected: { deviceId: string; reason: EndReason }
  connectionRefused: { reason: Word<typeof refusalReasons> }
  methodInvoked: { outcome: Word<typeof callOutcomes>; seconds: number }
  telemetryReceived: { deviceId: string }
  reportedPatched: { deviceId: string }
  desiredPushed: { devices: number }
  gatewayFailed: { step: GatewayStep; error: unknown }
}

type Word<List extends readonly string[]> = List[number]

export interface Events extends Recorders {
  /** For tests: calls the listener for each such event, until the returned function is called. */
  on<Name extends EventName>(name: Name, listener: (fields: EventFields[Name]) => void): () => void
}

type EventName = keyof EventFields
type Recorders = { readonly [Name in EventName]: (fields: EventFields[Name]) => void }

export function openEvents({ log, metrics }: { log: Logger; metrics: Metrics }): Events {
  const signals = new EventEmitter()
  const { event, counter, counted, timed } = kinds(signals, log, metrics)
  const registers = [metrics]

  const deviceJobs = counter('muster_device_jobs_recorded_total', 'Device jobs recorded, by type and outcome', {
    type: jobTypes,
    outcome: recordedOutcomes,
  })
  const repaired = counter('muster_sweep_repaired_total', 'Rows repaired, by sweep', { sweep: sweepNames })
  const disconnected = counter('muster_device_disconnected_total', 'Connections ended, by reason', {
    reason: endReasons,
  })
  const connected = new Gauge({
    name: 'muster_devices_connected',
    help: 'Devices connected to this process',
    registers,
  })
  /** Only a process that serves a certificate has it: 0 would be an alert. */
  let expiry: Gauge | undefined
  const clockOffset = new Gauge({
    name: 'muster_clock_offset_seconds',
    help: 'How far the clock of this machine is ahead of the time of the hub',
    registers,
  })
  const clockError = new Gauge({
    name: 'muster_clock_error_seconds',
    help: 'By how much the time of the hub may be wrong in this process',
    registers,
  })
  const pushed = counter('muster_desired_pushed_total', 'Desired patches sent to connected devices', {})

  return {
    hubStarting: event('hubStarting', 'info', () => {}),
    hubStarted: counted('hubStarted', 'info', 'Starts of this process'),
    httpsPortReplaced: counted('httpsPortReplaced', 'warn', 'Starts without the privileges for the HTTPS port'),
    hubStopping: counted('hubStopping', 'info', 'Stops of this process'),
    roleStopped: counted('roleStopped', 'info', 'Roles stopped', { role: roleNames }),
    readinessLost: counted('readinessLost', 'warn', 'Readiness checks failed', { check: checkNames }),
    busFailed: counted('busFailed', 'warn', 'Errors of the connection to Redis'),
    clockMeasured: event('clockMeasured', 'trace', ({ offsetSeconds, errorSeconds }) => {
      clockOffset.set(offsetSeconds)
      clockError.set(errorSeconds)
    }),
    clockTrusted: counted('clockTrusted', 'info', 'Times at which the time of the hub was known again'),
    clockDoubted: counted('clockDoubted', 'warn', 'Times at which the time of the hub was not known any more'),
    storeIncident: counted('storeIncident', 'warn', 'Ends and restarts of private stores', {
      store: storeNames,
      kind: storeIncidentKinds,
    }),
    certificateLoaded: event('certificateLoaded', 'info', ({ expiresAt }) => {
      expiry ??= new Gauge({
        name: 'muster_certificate_expiry_timestamp_seconds',
        help: 'When the certificate of the TLS listeners ends, in seconds since 1970',
        registers,
      })
      expiry.set(expiresAt.getTime() / 1000)
    }),
    connectionNotAccepted: counted('connectionNotAccepted', 'error', 'HTTP connections that could not be accepted'),
    certificateRefused: counted('certificateRefused', 'error', 'Changed certificates that could not be used'),

    throttled: counted('throttled', 'debug', 'Operations over their rate, refused or put off', {
      throttle: throttleNames,
    }),
    requestServed: timed('requestServed', 'Requests of the service API', ['method', 'route', 'status']),
    requestRefused: counted('requestRefused', 'info', 'Requests answered with an error', { code: errorNames }),
    requestFailed: counted('requestFailed', 'error', 'Requests that met a bug or lost infrastructure'),
    issuerFailed: counted('issuerFailed', 'warn', 'Readings of the keys of the token issuer that failed'),
    jobCreated: counted('jobCreated', 'info', 'Jobs accepted', { type: jobTypes }),
    jobCancelled: counted('jobCancelled', 'info', 'Jobs cancelled by a caller', { type: jobTypes }),

    jobStarted: counted('jobStarted', 'info', 'Jobs started', { type: jobTypes }),
    jobEnded: counted('jobEnded', 'info', 'Jobs ended', { type: jobTypes, status: jobStatuses.filter(isTerminal) }),
    chunkRecorded: event('chunkRecorded', 'debug', ({ type, ...counts }) => {
      for (const outcome of recordedOutcomes) deviceJobs.inc({ type, outcome }, counts[outcome])
    }),
    deviceJobFailed: counted('deviceJobFailed', 'error', 'Device jobs on which the hub itself failed'),
    claimLost: counted('claimLost', 'warn', 'Outcomes refused because the claim was no longer ours', {
      type: jobTypes,
    }),
    wakeUpLost: counted('wakeUpLost', 'warn', 'Wake-ups that Redis did not take', { kind: wakeUpKinds }),
    wakeUpFailed: counted('wakeUpFailed', 'error', 'Wake-ups whose work met a bug or lost infrastructure', {
      kind: wakeUpKinds,
    }),
    leaseRenewalFailed: counted(
      'leaseRenewalFailed',
      'error',
      'Renewals of leases that met a bug or lost infrastructure',
    ),
    sweepRepaired: event('sweepRepaired', 'info', ({ sweep, count }) => repaired.inc({ sweep }, count)),
    sweepFailed: counted('sweepFailed', 'error', 'Sweeps that met a bug or lost infrastructure', {
      sweep: sweepNames,
    }),

    deviceConnected: event('deviceConnected', 'debug', () => connected.inc()),
    deviceDisconnected: event('deviceDisconnected', 'debug', ({ reason }) => {
      connected.dec()
      disconnected.inc({ reason })
    }),
    connectionRefused: counted('connectionRefused', 'info', 'Connections refused', { reason: refusalReasons }),
    methodInvoked: timed('methodInvoked', 'Direct methods invoked', ['outcome'], { outcome: callOutcomes }),
    telemetryReceived: counted('telemetryReceived', 'trace', 'Telemetry messages received'),
    reportedPatched: counted('reportedPatched', 'trace', 'Patches of reported properties'),
    desiredPushed: event('desiredPushed', 'debug', ({ devices }) => pushed.inc(devices)),
    gatewayFailed: counted('gatewayFailed', 'error', 'Steps of the gateway that failed', { step: gatewaySteps }),

    on(name, listener) {
      signals.on(name, listener)
      return () => signals.off(name, listener)
    },
  }
}

/** The three kinds of event: with its own metric, counted, or with observed `seconds`. */
function kinds(signals: EventEmitter, log: Logger, metrics: Metrics) {
  const event =
    <Name extends EventName>(name: Name, level: Level, measure: (fields: EventFields[Name]) => void) =>
    (fields: EventFields[Name]): void => {
      const line: object = fields
      log[level](line, name)
      measure(fields)
      signals.emit(name, fields)
    }

  /** `words`: the closed list of each label. Every series begins with 0. */
  const counter = (name: string, help: string, words: Readonly<Record<string, readonly string[] | undefined>>) => {
    const made = new Counter<string>({ name, help, labelNames: Object.keys(words), registers: [metrics] })
    for (const labels of seriesOf(words)) made.inc(labels, 0)
    return made
  }

  const counted = <Name extends EventName>(name: Name, level: Level, help: string, words: Words<Name> = {}) => {
    const labels = labelsOf<Name>(words)
    const total = counter(`muster_${snakeCase(name)}_total`, described(help, labels), words)
    return event(name, level, (fields) => total.inc(valuesOf(fields, labels)))
  }

  /** `words`: the closed lists, where every label has one. */
  const timed = <Name extends TimedEvent>(
    name: Name,
    help: string,
    labels: readonly Label<Name>[],
    words: Words<Name> | null = null,
  ) => {
    const histogram = new Histogram<string>({
      name: `muster_${snakeCase(name)}_seconds`,
      help: described(help, labels),
      labelNames: labels,
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
      registers: [metrics],
    })
    if (words !== null) for (const series of seriesOf(words)) histogram.zero(series)
    return event(name, 'debug', (fields) => histogram.observe(valuesOf(fields, labels), fields.seconds))
  }

  return { event, counter, counted, timed }
}

type Label<Name extends EventName> = keyof EventFields[Name] & string
type Words<Name extends EventName> = { readonly [L in Label<Name>]?: readonly (EventFields[Name][L] & string)[] }

function labelsOf<Name extends EventName>(words: Words<Name>): readonly Label<Name>[] {
  const isLabel = (name: string): name is Label<Name> => name in words
  return Object.keys(words).filter(isLabel)
}

/** Every series of a metric. One that appears with its first event hides that event from a rate. */
function seriesOf(words: Readonly<Record<string, readonly string[] | undefined>>): readonly Record<string, string>[] {
  return Object.entries(words).reduce<readonly Record<string, string>[]>(
    (made, [label, values = []]) => made.flatMap((labels) => values.map((value) => ({ ...labels, [label]: value }))),
    [{}],
  )
}

type TimedEvent = 'requestServed' | 'methodInvoked'

function described(help: string, labels: readonly string[]): string {
  return labels.length === 0 ? help : `${help}, by ${labels.join(', ')}`
}

function valuesOf<Fields extends object>(fields: Fields, labels: readonly (keyof Fields & string)[]) {
  return Object.fromEntries(labels.map((label) => [label, String(fields[label])]))
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
