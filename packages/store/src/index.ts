export { readHubId } from './events/hub-id.ts'
export { readJobEvents } from './events/job-event-rows.ts'
export {
  drawTransactionNo,
  type EventPosition,
  pollJobEvents,
  readEventPosition,
  type Snapshot,
} from './events/poll-job-events.ts'
export { type JobCounts, readJobCounts } from './events/read-job-counts.ts'
export * from './jobs/chunks.ts'
export * from './jobs/device-jobs.ts'
export * from './jobs/execute-chunk.ts'
export { markGone } from './jobs/gone-devices.ts'
export type { Asker } from './jobs/job-events.ts'
export * from './jobs/jobs.ts'
export { type HubLoad, loadHorizonMs, readLoad } from './jobs/load.ts'
export { moveClaims } from './jobs/move-claims.ts'
export { mostTries } from './jobs/next-try.ts'
export { patchNextChunk } from './jobs/patch-chunk.ts'
export * from './jobs/record-attempts.ts'
export { changeJob } from './jobs/rollout/change-job.ts'
export { type ContinuousJob, findContinuousJobs, joinDevices, takeUncheckedJob } from './jobs/rollout/continuous.ts'
export { findLeavers } from './jobs/rollout/leavers.ts'
export { pauseJob, resumeJob } from './jobs/rollout/pause.ts'
export { isNotNow, isTooEarly, type NotNow } from './jobs/rollout/permission.ts'
export { type Steered, steerJob } from './jobs/rollout/steer-job.ts'
export { readStop, resumeStop, type Stop, type StopRequest, stopJobs } from './jobs/rollout/stops.ts'
export { windowEnd } from './jobs/rollout/windows.ts'
export { changeDevices, type DeviceAction, type DeviceChange, deviceActions } from './jobs/selected/change-devices.ts'
export type { DeviceSelection } from './jobs/selected/device-selection.ts'
export { type Relatives, readRelatives } from './jobs/selected/relatives.ts'
export { type Rerun, rerunJob } from './jobs/selected/rerun-job.ts'
export { type Advance, advanceStages } from './jobs/stages/advance-stages.ts'
export { type NextStage, openNextStage } from './jobs/stages/open-stage.ts'
export { readStages, type Stage } from './jobs/stages/read-stages.ts'
export { isWatched } from './jobs/stages/stage-rows.ts'
export { ensurePartitions } from './jobs/start/partitions.ts'
export { previewTarget } from './jobs/start/preview-target.ts'
export * from './jobs/start/start-job.ts'
export * from './jobs/sweeps/cancel-long-paused.ts'
export * from './jobs/sweeps/expire-overdue-jobs.ts'
export * from './jobs/sweeps/find-drained-jobs.ts'
export * from './jobs/sweeps/find-due-jobs.ts'
export * from './jobs/sweeps/find-forgotten-work.ts'
export * from './jobs/sweeps/find-unscheduled-jobs.ts'
export * from './jobs/sweeps/find-watched-jobs.ts'
export * from './jobs/sweeps/keep-statistics.ts'
export * from './jobs/sweeps/mark-forgotten-reachable.ts'
export * from './jobs/sweeps/purge-history.ts'
export * from './jobs/sweeps/raise-rates.ts'
export * from './jobs/sweeps/release-expired-chunks.ts'
export * from './jobs/sweeps/release-expired-device-jobs.ts'
export * from './jobs/sweeps/table.ts'
export { type Reason, reasonCodes } from './jobs/why/reason.ts'
export { whyDevice } from './jobs/why/why-device.ts'
export { type WhyJob, whyJob } from './jobs/why/why-job.ts'
export { insertWorker, removeWorker, renewWorker, type WorkerLease } from './jobs/workers.ts'
export { readDatabaseFigures } from './metrics/database-figures.ts'
export { readIntegrityFigures } from './metrics/integrity.ts'
export { readJobFigures } from './metrics/job-figures.ts'
export { readWebhookFigures } from './metrics/webhook-figures.ts'
export { readWorkFigures } from './metrics/work-figures.ts'
export { type DeviceCounts, type DeviceFilter, type DevicePage, readDevicePage } from './outcomes/device-page.ts'
export { type FailureGroup, type Failures, mostTagPaths, readFailures } from './outcomes/failures.ts'
export { type Lineage, readLineage } from './outcomes/lineage.ts'
export * from './postgres/analyze-grown-tables.ts'
export { readClock } from './postgres/clock.ts'
export { type Connection, checkPostgres, connect, type Times } from './postgres/connect.ts'
export { isDatabaseLost, isStatementTimeout, isWorthRepeating } from './postgres/database-error.ts'
export { checkSchema, migrate, SchemaTooNewError, SchemaTooOldError } from './postgres/migrate.ts'
export type { Page, PageRequest } from './postgres/page.ts'
export { hotStatements } from './postgres/prepared.ts'
export type { Db } from './postgres/sql.ts'
export { runQuery } from './queries/query.ts'
export { deviceColumns } from './queries/twin-columns.ts'
export { cachePolicies } from './registry/cached-policies.ts'
export * from './registry/devices.ts'
export { keyFingerprint, thumbprintFingerprint } from './registry/fingerprints.ts'
export {
  type Authentication,
  type Credentials,
  deleteIdentities,
  deleteIdentity,
  type Identity,
  type IdentityDraft,
  type IdentitySettings,
  insertIdentities,
  lockIdentity,
  readCredentials,
  readIdentity,
  updateIdentity,
} from './registry/identities.ts'
export * from './registry/modules.ts'
export * from './registry/policies.ts'
export { findDueSchedules, runSchedule, type ScheduleStep } from './schedules/run-schedule.ts'
export { type CatchUp, catchUps, type Overlap, overlaps, type Schedule } from './schedules/schedule.ts'
export {
  deleteSchedule,
  listSchedules,
  putSchedule,
  readSchedule,
  type ScheduleDraft,
  type SchedulePut,
} from './schedules/schedules.ts'
export * from './sessions/activity.ts'
export * from './sessions/confirm-sessions.ts'
export * from './sessions/dead-gateways.ts'
export { gatewayDeadBefore, heartbeat, removeGateway } from './sessions/gateways.ts'
export * from './sessions/sessions.ts'
export type { DesiredChange } from './twins/desired-change.ts'
export { readDesiredSince } from './twins/desired-removals.ts'
export { checkPatchFits } from './twins/patch.ts'
export * from './twins/sets.ts'
export { readTwinValues, type TwinPath } from './twins/twin-values.ts'
export * from './twins/twins.ts'
export { type ClaimedDelivery, claimDelivery } from './webhooks/claim-delivery.ts'
export {
  type Delivery,
  listDeliveries,
  type Replay,
  replayDead,
  replayDelivery,
  replayLimit,
} from './webhooks/deliveries.ts'
export { findDueWebhooks } from './webhooks/find-due-webhooks.ts'
export { purgeDelivered, purgeUnowned } from './webhooks/purge-deliveries.ts'
export { type FailedTry, recordDelivered, recordFailedTry } from './webhooks/record-delivery.ts'
export { type DeliveryState, deliveryStates, type Webhook } from './webhooks/webhook.ts'
export {
  deleteWebhook,
  listWebhooks,
  type Put,
  putWebhook,
  readWebhook,
  type WebhookDraft,
} from './webhooks/webhooks.ts'
