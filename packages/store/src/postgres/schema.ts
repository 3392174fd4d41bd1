import type {
  AbortCriterion,
  Extensions,
  GatewayId,
  IdentityKey,
  Json,
  JsonObject,
  KeptAttempt,
  StageAbort,
} from '@muster/contract'
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  date,
  doublePrecision,
  integer,
  interval,
  json,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core'

/**
 * The columns of the migrations, for statements that drizzle can type. The migrations count; a test compares the two.
 * Only the migrations have indexes, checks and partitions.
 */
export const devices = pgTable('devices', {
  deviceId: text('device_id').$type<IdentityKey>().primaryKey(),
  generationId: text('generation_id').notNull(),
  etag: counter('etag').notNull().default(1),
  status: text('status', { enum: ['enabled', 'disabled'] })
    .notNull()
    .default('enabled'),
  statusReason: text('status_reason'),
  statusUpdatedAt: instant('status_updated_at'),
  authenticationType: text('authentication_type', { enum: ['sas', 'selfSigned', 'certificateAuthority', 'none'] })
    .notNull()
    .default('sas'),
  primaryKey: text('primary_key'),
  secondaryKey: text('secondary_key'),
  primaryThumbprint: text('primary_thumbprint'),
  secondaryThumbprint: text('secondary_thumbprint'),
  isEdge: boolean('is_edge').notNull().default(false),
  createdAt: instant('created_at').notNull(),
  /** Derived from the id: the device of a module. */
  moduleOf: text('module_of'),
  managedBy: text('managed_by'),
  parentScopes: text('parent_scopes').array().notNull().default(sql`'{}'`),
})

/**
 * The removals of the patch that led to a version of the desired properties: its nulls, and the objects around them. Null: the removals
 * of this patch and of those before it are not known.
 */
export type DesiredRemoval = readonly [version: number, removed: JsonObject | null]

export const twins = pgTable('twins', {
  deviceId: text('device_id').$type<IdentityKey>().primaryKey(),
  etag: counter('etag').notNull().default(1),
  version: counter('version').notNull().default(2),
  modelId: text('model_id').notNull().default(''),
  tags: members('tags'),
  desired: members('desired'),
  desiredVersion: counter('desired_version').notNull().default(1),
  desiredMetadata: members('desired_metadata'),
  reported: members('reported'),
  reportedVersion: counter('reported_version').notNull().default(1),
  reportedMetadata: members('reported_metadata'),
  /** Derived from the id: null for a device. */
  moduleId: text('module_id'),
  /** Oldest first. Null: no patch has removed anything. */
  desiredRemovals: jsonb('desired_removals').$type<readonly DesiredRemoval[]>(),
  /** Higher than that of every identity registered before, also of a deleted one of this name. */
  generationNo: counter('generation_no').generatedAlwaysAsIdentity(),
})

export const gateways = pgTable('gateways', {
  gatewayId: text('gateway_id').$type<GatewayId>().primaryKey(),
  startedAt: instant('started_at').notNull(),
  heartbeatAt: instant('heartbeat_at').notNull(),
  /** How many it held at that time. */
  connections: integer('connections').notNull().default(0),
})

/** A topic filter that a device keeps over its connections. */
export interface Subscription {
  readonly topic: string
  readonly qos: 0 | 1
}

export const sessions = pgTable('sessions', {
  deviceId: text('device_id').$type<IdentityKey>().primaryKey(),
  gatewayId: text('gateway_id').$type<GatewayId>(),
  connectionNo: counter('connection_no').notNull().default(0),
  stateUpdatedAt: instant('state_updated_at').notNull(),
  lastActivityAt: instant('last_activity_at').notNull(),
  subscriptions: jsonb('subscriptions').$type<readonly Subscription[]>().notNull().default([]),
  acceptsMethods: boolean('accepts_methods').notNull().default(false),
  /** The last connection left a session, also if it had no subscriptions. */
  isPersistent: boolean('is_persistent').notNull().default(false),
})

export const policies = pgTable('policies', {
  name: text('name').primaryKey(),
  permissions: text('permissions').array().notNull(),
  primaryKey: text('primary_key').notNull(),
  secondaryKey: text('secondary_key').notNull(),
})

export const jobs = pgTable('jobs', {
  jobKey: counter('job_key').generatedAlwaysAsIdentity().primaryKey(),
  jobId: text('job_id').notNull().unique(),
  type: text('type').notNull(),
  status: text('status').notNull(),
  queryCondition: text('query_condition').notNull(),
  targetIds: text('target_ids').array(),
  body: json('body').$type<JsonObject>().notNull(),
  maxExecutionSeconds: integer('max_execution_seconds').notNull(),
  createdAt: instant('created_at').notNull(),
  startAt: instant('start_at').notNull(),
  deadlineAt: instant('deadline_at').notNull(),
  week: date('week'),
  frozenAt: instant('frozen_at'),
  endedAt: instant('ended_at'),
  failureReason: text('failure_reason'),
  lastGenerationNo: counter('last_generation_no'),
  attempts: integer('attempts').notNull().default(0),
  notBefore: instant('not_before'),
  finalCounts: integer('final_counts').array(),
  openStage: integer('open_stage').notNull().default(0),
  pausedAt: instant('paused_at'),
  pausedBy: text('paused_by'),
  /** Devices a minute. */
  rate: integer('rate'),
  maxInFlight: integer('max_in_flight'),
  rateFreeAt: instant('rate_free_at'),
  priority: integer('priority').notNull().default(500),
  traceparent: text('traceparent'),
  extensions: json('extensions').$type<Extensions>().notNull().default({}),
  /** It has gates, or conditions by which it stops. */
  isWatched: boolean('is_watched').notNull().default(false),
  lastStage: integer('last_stage'),
  abortWhen: jsonb('abort_when').$type<readonly AbortCriterion[]>(),
  firedCriteria: integer('fired_criteria').array().notNull().default(sql`'{}'`),
  pauseReason: text('pause_reason'),
  pauseTimeoutSeconds: integer('pause_timeout_seconds'),
  pauseEndsAt: instant('pause_ends_at'),
  windowLeft: interval('window_left'),
  stopNo: counter('stop_no'),
  notified: integer('notified').notNull().default(0),
  rampBase: integer('ramp_base'),
  rampFactor: doublePrecision('ramp_factor'),
  rampEvery: integer('ramp_every'),
  rampOn: text('ramp_on', { enum: ['notified', 'succeeded'] }),
  rampMax: integer('ramp_max'),
  rampFrom: integer('ramp_from').notNull().default(0),
  /** The job that it reruns. */
  parentKey: counter('parent_key'),
  scheduleId: text('schedule_id'),
  zones: text('zones').array(),
  isContinuous: boolean('is_continuous').notNull().default(false),
  maxDevices: integer('max_devices'),
  joinsCheckedAt: instant('joins_checked_at'),
})

export const stops = pgTable('stops', {
  stopNo: counter('stop_no').generatedAlwaysAsIdentity().primaryKey(),
  at: instant('at').notNull(),
  actor: text('actor'),
  clientAddress: text('client_address'),
  reason: text('reason'),
  jobType: text('job_type'),
  jobIdPrefix: text('job_id_prefix'),
  pausedCount: integer('paused_count').notNull().default(0),
  handedOverCount: integer('handed_over_count'),
  resumedAt: instant('resumed_at'),
  resumedCount: integer('resumed_count'),
})

export const schedules = pgTable('schedules', {
  scheduleId: text('schedule_id').primaryKey(),
  cron: text('cron'),
  timeZone: text('time_zone'),
  everySeconds: integer('every_seconds'),
  anchorAt: instant('anchor_at'),
  overlap: text('overlap').notNull(),
  catchUp: text('catch_up').notNull(),
  startAt: instant('start_at'),
  endAt: instant('end_at'),
  maxRuns: integer('max_runs'),
  type: text('type').notNull(),
  queryCondition: text('query_condition').notNull(),
  targetIds: text('target_ids').array(),
  body: json('body').$type<JsonObject>().notNull(),
  maxExecutionSeconds: integer('max_execution_seconds').notNull(),
  extensions: json('extensions').$type<Extensions>().notNull(),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
  actor: text('actor'),
  nextAt: instant('next_at'),
  waitingAt: instant('waiting_at'),
  runCount: integer('run_count').notNull().default(0),
  skippedCount: integer('skipped_count').notNull().default(0),
  missedCount: integer('missed_count').notNull().default(0),
  lastRunAt: instant('last_run_at'),
  lastJobId: text('last_job_id'),
  lastSkippedAt: instant('last_skipped_at'),
  lastMissedAt: instant('last_missed_at'),
})

export const stages = pgTable(
  'stages',
  {
    jobKey: counter('job_key').notNull(),
    stageNo: integer('stage_no').notNull(),
    deviceCount: integer('device_count').notNull(),
    /** The gate before it. */
    opensWhen: jsonb('opens_when').$type<JsonObject>(),
    abortWhen: jsonb('abort_when').$type<StageAbort>(),
    openedAt: instant('opened_at'),
    closedAt: instant('closed_at'),
    /** Why it opened. */
    reason: text('reason'),
    metAt: instant('met_at'),
    heldAt: instant('held_at'),
    abortedAt: instant('aborted_at'),
  },
  (table) => [primaryKey({ columns: [table.jobKey, table.stageNo] })],
)

export const hub = pgTable('hub', {
  isOnly: boolean('is_only').primaryKey().default(true),
  hubId: text('hub_id').notNull(),
})

export const jobEvents = pgTable('job_events', {
  eventNo: counter('event_no').generatedAlwaysAsIdentity().primaryKey(),
  jobKey: counter('job_key').notNull(),
  kind: text('kind').notNull(),
  at: instant('at').notNull(),
  actor: text('actor'),
  fields: members('fields'),
  clientAddress: text('client_address'),
})

export const webhooks = pgTable('webhooks', {
  webhookKey: counter('webhook_key').generatedAlwaysAsIdentity().primaryKey(),
  webhookId: text('webhook_id').notNull(),
  url: text('url').notNull(),
  secret: text('secret').notNull(),
  kinds: text('kinds').array(),
  jobIdPrefix: text('job_id_prefix'),
  jobType: text('job_type'),
  createdAt: instant('created_at').notNull(),
})

export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    jobKey: counter('job_key').notNull(),
    webhookKey: counter('webhook_key').notNull(),
    eventNo: counter('event_no').notNull(),
    state: text('state').notNull().default('pending'),
    attempts: integer('attempts').notNull().default(0),
    failures: integer('failures').notNull().default(0),
    /** Of a pending one: the next try may come, or the lease of the try under way ends. */
    notBefore: instant('not_before').notNull(),
    diesAt: instant('dies_at').notNull(),
    endedAt: instant('ended_at'),
    failure: text('failure'),
  },
  (table) => [primaryKey({ columns: [table.jobKey, table.webhookKey, table.eventNo] })],
)

export const workers = pgTable('workers', {
  workerId: text('worker_id').primaryKey(),
  startedAt: instant('started_at').notNull(),
  leaseUntil: instant('lease_until').notNull(),
})

export const chunks = pgTable(
  'chunks',
  {
    week: date('week').notNull(),
    jobKey: counter('job_key').notNull(),
    chunkNo: integer('chunk_no').notNull(),
    deviceIds: text('device_ids').array().notNull(),
    deviceCount: integer('device_count').notNull(),
    status: text('status').notNull().default('ready'),
    fence: integer('fence').notNull().default(0),
    leasedBy: text('leased_by'),
    /** The first claim whose outcomes are not all recorded. */
    askedSince: instant('asked_since'),
    attempted: integer('attempted').notNull().default(0),
    succeeded: integer('succeeded').notNull().default(0),
    failed: integer('failed').notNull().default(0),
    canceled: integer('canceled').notNull().default(0),
    running: integer('running').notNull().default(0),
    rest: text('rest'),
    restAt: instant('rest_at'),
    claims: integer('claims').notNull().default(0),
    notBefore: instant('not_before'),
    stageNo: integer('stage_no').notNull().default(0),
    isOpen: boolean('is_open').notNull().generatedAlwaysAs(sql`succeeded + failed + canceled < device_count`),
    /** Of those that are `canceled`. */
    skipped: integer('skipped').notNull().default(0),
    zone: text('zone'),
  },
  (table) => [primaryKey({ columns: [table.week, table.jobKey, table.chunkNo] })],
)

export const deviceJobs = pgTable(
  'device_jobs',
  {
    week: date('week').notNull(),
    jobKey: counter('job_key').notNull(),
    deviceId: text('device_id').notNull(),
    chunkNo: integer('chunk_no').notNull(),
    status: text('status').notNull(),
    attempt: integer('attempt').notNull(),
    deliveries: integer('deliveries').notNull().default(0),
    unknownDeliveries: integer('unknown_deliveries').notNull().default(0),
    deliveredAt: instant('delivered_at'),
    /** The first claim whose outcome is not recorded. */
    askedSince: instant('asked_since'),
    dueAt: instant('due_at'),
    leasedBy: text('leased_by'),
    updatedAt: instant('updated_at').notNull(),
    response: json('response').$type<Json>(),
    errorCode: text('error_code'),
    errorText: text('error_text'),
    attempts: jsonb('attempts').$type<readonly KeptAttempt[]>(),
    notNows: integer('not_nows'),
  },
  (table) => [primaryKey({ columns: [table.week, table.jobKey, table.deviceId] })],
)

/** Counts of a hub stay far below 2^53. */
function counter(name: string) {
  return bigint(name, { mode: 'number' })
}

function instant(name: string) {
  return timestamp(name, { withTimezone: true })
}

function members(name: string) {
  return jsonb(name).$type<JsonObject>().notNull().default(sql`'{}'`)
}
