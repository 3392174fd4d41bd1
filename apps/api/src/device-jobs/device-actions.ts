import {
  type DeviceId,
  HubError,
  isTerminal,
  type JobId,
  type JobStatus,
  limits,
  parseDeviceId,
  withTexts,
} from '@muster/contract'
import { finishJob } from '@muster/runtime'
import {
  changeDevices,
  type DeviceAction,
  type DeviceChange,
  type DeviceSelection,
  deviceActions,
  readDevicePage,
} from '@muster/store'
import { z } from 'zod'
import type { ApiContext, Deps, Endpoint } from '../http/endpoint.ts'
import { readDocument } from '../http/json-body.ts'
import { jsonReply, jsonTextReply } from '../http/reply.ts'
import { deviceJobSchema } from '../http/schemas.ts'
import { askerOf } from '../jobs/create-job.ts'
import { deviceJobJson } from '../jobs/job-json.ts'
import { jobNotFound, readJobId } from '../jobs/jobs.ts'
import { parseSelection, selectionSchema } from './selection.ts'

const count = z.int().min(0)

const summaries: Record<DeviceAction, readonly [ofOne: string, ofMany: string]> = {
  skip: ['Take a device that waits or has not started out of a job', 'Take such devices out of a job'],
  cancel: ['Cancel a job on a device that waits or has not started', 'Cancel a job on such devices'],
  retry: ['Make the next attempt on a device that waits due', 'Make the next attempts on devices that wait due'],
}

/** What can be done to single devices of a running job, and to many at once. */
export function deviceActionRoutes(deps: Deps): readonly Endpoint[] {
  return deviceActions.flatMap((action): Endpoint[] => {
    const [ofOne, ofMany] = summaries[action]
    return [
      {
        method: 'post',
        path: `/jobs/v2/{jobId}/devices/{deviceId}/${action}`,
        operationId: `${action}Device`,
        summary: ofOne,
        permission: 'ServiceConnect',
        throttle: 'jobOperations',
        reply: deviceJobSchema,
        handle: async (c) => jsonTextReply(200, await changeOne(deps, c, action)),
      },
      {
        method: 'post',
        path: `/jobs/v2/{jobId}/devices/${action}`,
        operationId: `${action}Devices`,
        summary: `${ofMany}; a device in flight, or one that has ended, stays as it is`,
        permission: 'ServiceConnect',
        throttle: 'queries',
        example: { body: { statuses: ['pending'] }, reply: { matchedCount: 120, changedCount: 112 } },
        body: selectionSchema,
        bodyBytes: limits.jobBodyBytes,
        reply: z.object({ matchedCount: count, changedCount: count }),
        async handle(c) {
          const jobId = readJobId(c)
          const selection = parseSelection(readDocument(c).body)
          const { matchedCount, changedCount } = await change(deps, c, { jobId, action, selection })
          return jsonReply(200, { matchedCount, changedCount })
        },
      },
    ]
  })
}

type Done = Extract<DeviceChange, { readonly kind: 'done' }>

/** The work that follows is woken after the commit. If nobody hears of it, a sweep finds it. */
async function change(
  deps: Deps,
  c: ApiContext,
  { jobId, ...wanted }: { readonly jobId: JobId; readonly action: DeviceAction; readonly selection: DeviceSelection },
): Promise<Done> {
  const { db, bus, clock, events } = deps
  const changed = await changeDevices(db, jobId, { ...wanted, asker: askerOf(c) }, clock.now())
  if (changed.kind === 'missing') throw jobNotFound(jobId)
  if (changed.kind === 'idle') throw notRunning(jobId, changed.status)
  if (changed.changedCount === 0) return changed
  if (wanted.action !== 'retry') await finishJob(deps, changed.key)
  else if (!(await bus.wakeDue(changed.key))) events.wakeUpLost({ kind: 'due' })
  return changed
}

async function changeOne(deps: Deps, c: ApiContext, action: DeviceAction): Promise<string> {
  const jobId = readJobId(c)
  const deviceId = parseDeviceId(c.req.param('deviceId') ?? '')
  const selection = { statuses: null, errorCodes: null, deviceIds: [deviceId] }
  const { matchedCount, changedCount } = await change(deps, c, { jobId, action, selection })
  if (matchedCount === 0) throw noTarget(jobId, deviceId)
  const { row, status } = await readRow(deps, c, { jobId, deviceId })
  if (changedCount === 0) refuseUnchanged({ jobId, deviceId, action, status })
  return row
}

async function readRow(
  { db }: Deps,
  c: ApiContext,
  { jobId, deviceId }: { readonly jobId: JobId; readonly deviceId: DeviceId },
): Promise<{ readonly row: string; readonly status: string }> {
  const vocabulary = c.get('vocabulary')
  const shown = { status: '' }
  const filter = { statuses: null, errorCodes: null, deviceId }
  const page = await readDevicePage(db, jobId, filter, {
    limit: 1,
    after: null,
    withCounts: false,
    write(row, texts) {
      shown.status = String(row.status)
      return withTexts(deviceJobJson(row, vocabulary), texts)
    },
  })
  const row = page?.items[0]
  // Its history may be over by now.
  if (row === undefined) throw jobNotFound(jobId)
  return { row, status: shown.status }
}

/** How a device looks to which the same has been done before. A retry finds nothing to do when the next attempt is due already. */
const doneAlready: Record<DeviceAction, string> = { skip: 'skipped', cancel: 'canceled', retry: 'pending' }

function refuseUnchanged({
  jobId,
  deviceId,
  action,
  status,
}: {
  readonly jobId: JobId
  readonly deviceId: DeviceId
  readonly action: DeviceAction
  readonly status: string
}): void {
  if (status === doneAlready[action]) return
  const message =
    status === 'running' || status === 'pending'
      ? `The device ${deviceId} is in flight: its attempt ends by itself. To ${action} is for a device that waits or has not started.`
      : `The device ${deviceId} has ended as ${status}, which is final. ${rerunHint(jobId)}`
  throw new HubError('OperationNotAllowedInCurrentState', { message })
}

function notRunning(jobId: JobId, status: JobStatus): HubError {
  const message = isTerminal(status)
    ? `The job ${jobId} has ended as ${status}, and so have its devices. ${rerunHint(jobId)}`
    : `The job ${jobId} is ${status}: which devices it has is known when it starts.`
  return new HubError('OperationNotAllowedInCurrentState', { message })
}

function rerunHint(jobId: JobId): string {
  return `When the job has ended, POST /jobs/v2/${encodeURIComponent(jobId)}/rerun does it again on chosen devices.`
}

function noTarget(jobId: JobId, deviceId: DeviceId): HubError {
  return new HubError('DeviceNotFound', { message: `The device ${deviceId} is no target of the job ${jobId}` })
}
