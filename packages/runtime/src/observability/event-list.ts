import { errorNames, jobTypes } from '@muster/contract'
import { sweepNames } from '@muster/store'
import { roleNames } from '../config/role-names.ts'
import { throttleNames } from '../config/throttle-rates.ts'
import { onDemand } from '../metrics/declare.ts'
import {
  callOutcomes,
  checkNames,
  doorReasons,
  endReasons,
  endStatuses,
  gatewaySteps,
  isDelivered,
  recordedOutcomes,
  refusalReasons,
  scheduleOutcomes,
  storeIncidentKinds,
  storeNames,
  streamEnds,
  wakeUpKinds,
} from '../metrics/words.ts'
import {
  bounded,
  counted,
  countsByCode,
  error,
  flag,
  id,
  logged,
  number,
  optional,
  port,
  seconds,
  text,
  time,
  timed,
  traceId,
  type ValuesOf,
  word,
} from './declare-event.ts'

/**
 * Who did it: the policy, the client of the issuer or the device (null: nobody whom the hub knows), and the address of the connection or,
 * behind trusted balancers, of the client (null: a device did it).
 */
const caller = { account: optional(text), clientAddress: optional(text), trackingId: id }

/**
 * Every event of the hub and its fields. Ids go to the log only, because labels must be bounded: a label is one word of a closed list. No
 * field is ever a payload, a key or a token. docs/events.md shows this list.
 */
export const eventList = {
  hubStarting: logged('info', 'A process starts', {}),
  hubStarted: onDemand(
    'Has this process come up?',
    counted('info', 'Starts of this process', {
      https: optional(port),
      http: port,
      mqtts: optional(port),
      seconds,
    }),
  ),
  httpsPortReplaced: onDemand(
    'Why does HTTPS not have its port?',
    counted('warn', 'Starts without the privileges for the HTTPS port', { wanted: port, bound: port }),
  ),
  hubStopping: onDemand('Was this process told to stop?', counted('info', 'Stops of this process', { reason: text })),
  roleStopped: onDemand(
    'Which role holds up the end of this process?',
    counted('info', 'Roles stopped', { role: word(roleNames), seconds }),
  ),
  readinessLost: counted('warn', 'Readiness checks failed', { check: word(checkNames), error }),
  scrapeFailed: counted('warn', 'Readings of gauges that failed', { error }),
  busFailed: counted('warn', 'Errors of the connection to Redis', { error }),
  clockMeasured: logged(
    'trace',
    'The clock of the machine was compared with that of Postgres',
    { offsetSeconds: seconds, errorSeconds: seconds },
    {
      metrics: ['muster_clock_offset_seconds', 'muster_clock_error_seconds'],
      move(metrics, { offsetSeconds, errorSeconds }) {
        metrics.muster_clock_offset_seconds.set(offsetSeconds)
        metrics.muster_clock_error_seconds.set(errorSeconds)
      },
    },
  ),
  clockTrusted: onDemand(
    'Is the time of the hub lost and found again and again?',
    counted('info', 'Times at which the time of the hub was known again', { errorSeconds: seconds }),
  ),
  clockDoubted: onDemand(
    'Is the time of the hub lost and found again and again?',
    counted('warn', 'Times at which the time of the hub was not known any more', { reason: text }),
  ),
  storeIncident: onDemand(
    'How often did a private store of npm start end?',
    counted('warn', 'Ends and restarts of private stores', {
      store: word(storeNames),
      kind: word(storeIncidentKinds),
      message: text,
    }),
  ),
  certificateLoaded: logged(
    'info',
    'The TLS listeners have a certificate',
    { expiresAt: time },
    {
      metrics: ['muster_certificate_expiry_timestamp_seconds'],
      move: (metrics, { expiresAt }) =>
        metrics.muster_certificate_expiry_timestamp_seconds.set(expiresAt.getTime() / 1000),
    },
  ),
  certificateRefused: counted('error', 'Changed certificates that could not be used', { error }),
  connectionNotAccepted: counted('error', 'HTTP connections that could not be accepted', { error }),
  spansLost: onDemand(
    'Does the collector take the spans?',
    counted('warn', 'Groups of spans that the collector did not take', { error }),
  ),
  operatorRefused: onDemand(
    'Does somebody try the pages of the operator?',
    counted('warn', 'Requests for pages of the operator without its token', {
      reason: word(doorReasons),
      path: text,
      address: text,
    }),
  ),
  loadNotRead: counted('warn', 'Readings of the load of the hub that failed', { error }),

  throttled: counted('debug', 'Operations over their rate, refused or put off', { throttle: word(throttleNames) }),
  requestServed: timed(
    'debug',
    'Requests of the service API',
    {
      method: bounded(text, 'the methods of HTTP'),
      route: bounded(text, 'the routes of the service API'),
      status: number,
      isOfDevice: flag,
      seconds,
      trackingId: id,
    },
    {
      metrics: ['muster_requests_total'],
      move(metrics, { route, status, isOfDevice }) {
        const statusClass = isOfDevice && status >= 500 ? 'device' : `${Math.floor(status / 100)}xx`
        metrics.muster_requests_total.inc({ route, class: statusClass })
      },
    },
  ),
  requestRefused: counted('info', 'Requests answered with an error', {
    method: text,
    route: text,
    code: word(errorNames),
    jobId: optional(id),
    ...caller,
  }),
  requestFailed: counted('error', 'Requests that met a bug or lost infrastructure', { trackingId: id, error }),
  issuerFailed: counted('warn', 'Readings of the keys of the token issuer that failed', { error }),
  jobCreated: counted('info', 'Jobs accepted', { jobId: id, type: word(jobTypes), ...caller }),
  jobCancelled: counted('info', 'Jobs cancelled by a caller', { jobId: id, type: word(jobTypes), ...caller }),

  eventStreamOpened: logged(
    'debug',
    'Somebody listens to the events of jobs',
    { jobId: optional(id), ...caller },
    {
      metrics: ['muster_event_listeners'],
      move: (metrics) => metrics.muster_event_listeners.inc(),
    },
  ),
  eventStreamEnded: counted(
    'info',
    'Streams of events that ended',
    { reason: word(streamEnds), trackingId: id },
    {
      metrics: ['muster_event_listeners'],
      move: (metrics) => metrics.muster_event_listeners.dec(),
    },
  ),
  jobEventsTold: logged(
    'trace',
    'Events of jobs were told to listeners',
    { count: number },
    {
      metrics: ['muster_job_events_told_total'],
      move: (metrics, { count }) => metrics.muster_job_events_told_total.inc(count),
    },
  ),
  jobFeedFailed: counted('warn', 'Readings of events for listeners that failed', { error }),

  jobStarted: counted('info', 'Jobs started', { jobId: id, type: word(jobTypes), deviceCount: number, traceId }),
  jobEnded: counted(
    'info',
    'Jobs ended',
    { jobId: id, type: word(jobTypes), status: word(endStatuses), seconds: optional(seconds), traceId },
    {
      metrics: ['muster_job_seconds'],
      move(metrics, { type, status, seconds }) {
        if (seconds !== null) metrics.muster_job_seconds.observe({ type, status }, seconds)
      },
    },
  ),
  chunkRecorded: logged(
    'debug',
    'Outcomes of device jobs were recorded',
    {
      jobKey: id,
      type: word(jobTypes),
      succeeded: number,
      failed: number,
      retried: number,
      waiting: number,
      failures: countsByCode,
      traceId,
    },
    {
      metrics: ['muster_device_jobs_recorded_total', 'muster_device_jobs_failed_total'],
      move(metrics, { type, failures, ...counts }) {
        for (const [code, count] of Object.entries(failures)) {
          metrics.muster_device_jobs_failed_total.inc({ type, code }, count)
        }
        for (const outcome of recordedOutcomes) {
          metrics.muster_device_jobs_recorded_total.inc({ type, outcome }, counts[outcome])
        }
      },
    },
  ),
  deviceJobFailed: counted('error', 'Device jobs on which the hub itself failed', {
    jobKey: id,
    deviceId: id,
    trackingId: id,
    traceId,
    error,
  }),
  claimLost: counted('warn', 'Outcomes refused because the claim was no longer ours', {
    jobKey: id,
    type: word(jobTypes),
    traceId,
  }),
  wakeUpLost: counted('warn', 'Wake-ups that Redis did not take', { kind: word(wakeUpKinds) }),
  wakeUpFailed: counted('error', 'Wake-ups whose work met a bug or lost infrastructure', {
    kind: word(wakeUpKinds),
    jobKey: id,
    traceId,
    error,
  }),
  leaseRenewalFailed: counted('error', 'Renewals of leases that met a bug or lost infrastructure', { error }),
  sweepRepaired: logged(
    'info',
    'A sweep has repaired something',
    { sweep: word(sweepNames), count: number },
    {
      metrics: ['muster_sweep_repaired_total'],
      move: (metrics, { sweep, count }) => metrics.muster_sweep_repaired_total.inc({ sweep }, count),
    },
  ),
  scheduleRun: onDemand(
    'Do schedules make their jobs?',
    counted('info', 'Times of schedules that have come, by what became of them', {
      scheduleId: id,
      outcome: word(scheduleOutcomes),
      time,
      jobId: optional(id),
    }),
  ),
  scheduleMissed: logged(
    'warn',
    'Times of a schedule passed while no dispatcher was there, and no job was made for them',
    { scheduleId: id, count: number, lastTime: time },
    {
      metrics: ['muster_schedule_times_missed_total'],
      move: (metrics, { count }) => metrics.muster_schedule_times_missed_total.inc(count),
    },
  ),
  scheduleFailed: onDemand(
    'Which schedules cannot make their jobs?',
    counted('error', 'Runs of schedules that met a bug or lost infrastructure', { scheduleId: id, error }),
  ),
  webhookFailed: logged(
    'warn',
    'A try to send an event to a webhook failed, and there will be another',
    { webhookId: id, host: text, eventId: id, attempt: number, failure: text },
    {
      metrics: ['muster_webhook_tries_total'],
      move: (metrics) => metrics.muster_webhook_tries_total.inc({ outcome: 'failed' }),
    },
  ),
  webhookDead: logged(
    'error',
    'An event was tried for a day and is not sent to a webhook any more, until somebody replays it',
    { webhookId: id, host: text, eventId: id, attempt: number, failure: text },
    {
      metrics: ['muster_webhook_tries_total'],
      move: (metrics) => metrics.muster_webhook_tries_total.inc({ outcome: 'dead' }),
    },
  ),
  webhooksFailed: counted('error', 'Rounds of deliveries to a webhook that met a bug or lost infrastructure', {
    webhookKey: id,
    error,
  }),
  devicesJoined: onDemand(
    'Does a continuous job still take in devices?',
    counted('info', 'Times at which devices joined a continuous job', {
      jobId: id,
      type: word(jobTypes),
      count: number,
    }),
  ),
  joinFailed: onDemand(
    'Why does a continuous job take in nobody?',
    counted('error', 'Conditions of continuous jobs that could not be evaluated: no device joined', {
      jobId: id,
      type: word(jobTypes),
      error,
    }),
  ),
  sweepFailed: counted('error', 'Sweeps that met a bug or lost infrastructure', { sweep: word(sweepNames), error }),

  deviceConnected: counted(
    'debug',
    'Connections opened',
    { deviceId: id },
    {
      metrics: ['muster_devices_connected'],
      move: (metrics) => metrics.muster_devices_connected.inc(),
    },
  ),
  deviceDisconnected: counted(
    'debug',
    'Connections ended',
    { deviceId: id, reason: word(endReasons) },
    {
      metrics: ['muster_devices_connected'],
      move: (metrics) => metrics.muster_devices_connected.dec(),
    },
  ),
  connectionRefused: counted('info', 'Connections refused', { reason: word(refusalReasons), clientId: optional(id) }),
  methodInvoked: timed(
    'debug',
    'Direct methods invoked',
    { outcome: word(callOutcomes), seconds, traceId },
    {
      metrics: ['muster_delivery_total', 'muster_call_expired_total'],
      move(metrics, { outcome }) {
        if (isDelivered(outcome)) metrics.muster_delivery_total.inc()
        if (outcome === 'expired') metrics.muster_call_expired_total.inc()
      },
    },
  ),
  telemetryReceived: onDemand(
    'How much telemetry was accepted?',
    counted('trace', 'Telemetry messages received', { deviceId: id }),
  ),
  reportedPatched: onDemand(
    'How many reports were written?',
    counted('trace', 'Patches of reported properties', { deviceId: id }),
  ),
  desiredPushed: logged(
    'debug',
    'A desired patch was sent to connected devices',
    { devices: number },
    {
      metrics: ['muster_desired_pushed_total'],
      move: (metrics, { devices }) => metrics.muster_desired_pushed_total.inc(devices),
    },
  ),
  gatewayFailed: counted('error', 'Steps of the gateway that failed', { step: word(gatewaySteps), error }),
} as const

export type EventName = keyof typeof eventList
export type EventFields = { readonly [Name in EventName]: ValuesOf<(typeof eventList)[Name]['fields']> }
