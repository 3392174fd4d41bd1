import { type FollowOptions, followEvents } from './event-stream.ts'
import type { CallOptions, Exchange } from './exchange.ts'
import { longBodyOf } from './long-body.ts'
import { listOf, type PageOptions, type Pages, pagesOf } from './pages.ts'
import type { JobChange, PauseRequest, Why } from './rollouts/wire.ts'
import type {
  ChangedDevices,
  CreatedJob,
  DeviceAction,
  DeviceJob,
  DeviceJobCounts,
  DeviceSelection,
  Job,
  JobEvent,
  JobFailures,
  JobLineage,
  JobPreview,
  JobRerun,
  JobStage,
  JobStatisticsTold,
  JobTarget,
  NewMethodJob,
  NewTwinJob,
  ScheduledJob,
} from './wire.ts'

/** Which device jobs of a job. Several statuses or codes are separated by commas. */
export interface DeviceJobFilter {
  readonly status?: string | undefined
  readonly errorCode?: string | undefined
  readonly deviceId?: string | undefined
}

interface DevicesPage {
  readonly items: readonly DeviceJob[]
  readonly counts?: DeviceJobCounts
  readonly continuationToken?: string
}

interface StagesAnswer {
  readonly items: readonly JobStage[]
}

export interface Jobs {
  /** @throws MusterError JobAlreadyExists */
  create(job: NewTwinJob | NewMethodJob, options?: CallOptions): Promise<CreatedJob>
  /** The devices that a job would find now. Writes nothing. */
  preview(target: JobTarget, options?: CallOptions): Promise<JobPreview>
  /** @throws MusterError JobNotFound, as the others below */
  get(jobId: string, options?: CallOptions): Promise<Job>
  /** Latest first. */
  list(
    filter?: { readonly jobType?: string | undefined; readonly jobStatus?: string | undefined },
    options?: PageOptions,
  ): Pages<Job>
  /** Its stages; none before it starts. */
  stages(jobId: string, options?: CallOptions): Promise<readonly JobStage[]>
  /** What holds it now, or why it has ended; with `deviceId`, the same of one of its devices. */
  why(jobId: string, options?: CallOptions & { readonly deviceId?: string | undefined }): Promise<Why>
  /**
   * Opens the next stage now, whatever the gate before it says. Returns the stages after it.
   * @throws MusterError OperationNotAllowedInCurrentState when no stage is left, or it does not run
   */
  openNextStage(jobId: string, options?: CallOptions): Promise<readonly JobStage[]>
  /** @throws MusterError OperationNotAllowedInCurrentState when it has ended */
  cancel(jobId: string, options?: CallOptions): Promise<Job>
  /** To pause a paused job changes nothing. @throws MusterError OperationNotAllowedInCurrentState when it has ended, as the two below */
  pause(jobId: string, request?: PauseRequest, options?: CallOptions): Promise<Job>
  resume(jobId: string, options?: CallOptions): Promise<Job>
  /** Changes its limits. What is not named stays. */
  change(jobId: string, change: JobChange, options?: CallOptions): Promise<Job>
  /** Creates a job for some devices of one that has ended. @throws MusterError NothingMatches when there are none */
  rerun(jobId: string, rerun: JobRerun, options?: CallOptions): Promise<Job>
  lineage(jobId: string, options?: CallOptions & { readonly deviceId?: string | undefined }): Promise<JobLineage>
  /** @throws MusterError OperationNotAllowedInCurrentState when the device is in flight or has ended */
  changeDevice(jobId: string, deviceId: string, action: DeviceAction, options?: CallOptions): Promise<DeviceJob>
  changeDevices(
    jobId: string,
    action: DeviceAction,
    selection: DeviceSelection,
    options?: CallOptions,
  ): Promise<ChangedDevices>
  devices(jobId: string, filter?: DeviceJobFilter, options?: PageOptions): Pages<DeviceJob>
  deviceCounts(jobId: string, filter?: DeviceJobFilter, options?: CallOptions): Promise<DeviceJobCounts>
  /** Every device job, as text that is read while it comes. Reading rejects with MusterError when the rest does not come. */
  export(
    jobId: string,
    format: 'csv' | 'ndjson',
    filter?: DeviceJobFilter,
    options?: CallOptions,
  ): Promise<ReadableStream<Uint8Array>>
  /** `tags`: paths such as `firmware`, separated by commas; by default those that are used most. */
  failures(jobId: string, options?: CallOptions & { readonly tags?: string | undefined }): Promise<JobFailures>
  /** Everything that has happened to it, in order. */
  history(jobId: string, options?: PageOptions): Pages<JobEvent>
  /** What happens to the job from its creation on, and its counts as they change. Ends after the job has ended. */
  events(jobId: string, options?: FollowOptions): AsyncIterable<JobEvent | JobStatisticsTold>
  /** What happens to any job from now on. Goes on until `signal`. */
  allEvents(options?: FollowOptions): AsyncIterable<JobEvent | JobStatisticsTold>
}

export function createJobs(exchange: Exchange): Jobs {
  const pathOf = (jobId: string) => `/jobs/v2/${encodeURIComponent(jobId)}`
  const devicesCall = (jobId: string, query: Readonly<Record<string, string | number | undefined>>) =>
    ({ method: 'GET', path: `${pathOf(jobId)}/devices`, query, isSafe: true }) as const

  return {
    create: (job, options) =>
      exchange.read({ method: 'PUT', path: pathOf(job.jobId), body: jobBodyOf(job), isSafe: false, ...options }),
    preview: (target, options) =>
      exchange.read({ method: 'POST', path: '/jobs/v2/preview', body: target, isSafe: true, ...options }),
    get: (jobId, options) => exchange.read({ method: 'GET', path: pathOf(jobId), isSafe: true, ...options }),
    list: ({ jobType, jobStatus } = {}, options) =>
      listOf(exchange, { method: 'GET', path: '/jobs/v2/query', query: { jobType, jobStatus }, isSafe: true }, options),
    async stages(jobId, options) {
      const path = `${pathOf(jobId)}/stages`
      return (await exchange.read<StagesAnswer>({ method: 'GET', path, isSafe: true, ...options })).items
    },
    why: (jobId, { deviceId, ...options } = {}) => {
      const device = deviceId === undefined ? '' : `/devices/${encodeURIComponent(deviceId)}`
      return exchange.read({ method: 'GET', path: `${pathOf(jobId)}${device}/why`, isSafe: true, ...options })
    },
    async openNextStage(jobId, options) {
      const path = `${pathOf(jobId)}/stages/next`
      return (await exchange.read<StagesAnswer>({ method: 'POST', path, isSafe: false, ...options })).items
    },
    cancel: (jobId, options) =>
      exchange.read({ method: 'POST', path: `${pathOf(jobId)}/cancel`, isSafe: false, ...options }),
    pause: (jobId, request = {}, options) =>
      exchange.read({ method: 'POST', path: `${pathOf(jobId)}/pause`, body: request, isSafe: false, ...options }),
    resume: (jobId, options) =>
      exchange.read({ method: 'POST', path: `${pathOf(jobId)}/resume`, isSafe: false, ...options }),
    change: (jobId, change, options) =>
      exchange.read({ method: 'PATCH', path: pathOf(jobId), body: change, isSafe: false, ...options }),
    rerun: (jobId, rerun, options) =>
      exchange.read({ method: 'POST', path: `${pathOf(jobId)}/rerun`, body: rerun, isSafe: false, ...options }),
    lineage: (jobId, { deviceId, ...options } = {}) =>
      exchange.read({ method: 'GET', path: `${pathOf(jobId)}/lineage`, query: { deviceId }, isSafe: true, ...options }),
    changeDevice: (jobId, deviceId, action, options) =>
      exchange.read({
        method: 'POST',
        path: `${pathOf(jobId)}/devices/${encodeURIComponent(deviceId)}/${action}`,
        isSafe: false,
        ...options,
      }),
    changeDevices: (jobId, action, selection, options) =>
      exchange.read({
        method: 'POST',
        path: `${pathOf(jobId)}/devices/${action}`,
        body: selection,
        isSafe: false,
        ...options,
      }),
    devices: (jobId, filter, { pageSize, ...options } = {}) =>
      pagesOf(async (continuation) => {
        const query = { ...filter, pageSize, continuationToken: continuation ?? undefined }
        const { items, continuationToken } = await exchange.read<DevicesPage>({
          ...devicesCall(jobId, query),
          ...options,
        })
        return { items, continuation: continuationToken ?? null }
      }),
    async deviceCounts(jobId, filter, options) {
      const page = await exchange.read<DevicesPage>({ ...devicesCall(jobId, { ...filter, pageSize: 1 }), ...options })
      return page.counts ?? { byStatus: {}, byErrorCode: {} }
    },
    async export(jobId, format, filter, options = {}) {
      const response = await exchange.send({ ...devicesCall(jobId, { ...filter, format }), ...options })
      return longBodyOf(response, options)
    },
    failures: (jobId, { tags, ...options } = {}) =>
      exchange.read({ method: 'GET', path: `${pathOf(jobId)}/failures`, query: { tags }, isSafe: true, ...options }),
    history: (jobId, options) =>
      listOf(exchange, { method: 'GET', path: `${pathOf(jobId)}/history`, isSafe: true }, options),
    events: (jobId, options) => followEvents(exchange, `${pathOf(jobId)}/events`, { ...options, endsWithJob: true }),
    allEvents: (options) => followEvents(exchange, '/jobs/v2/events', { ...options, endsWithJob: false }),
  }
}

/** The hub takes the type from the caller; here it follows from the body. */
export function jobBodyOf(job: NewTwinJob | NewMethodJob | ScheduledJob): object {
  if ('cloudToDeviceMethod' in job) {
    const { cloudToDeviceMethod, ...rest } = job
    const payload = cloudToDeviceMethod.payload ?? null
    return { ...rest, type: 'scheduleDeviceMethod', cloudToDeviceMethod: { ...cloudToDeviceMethod, payload } }
  }
  return { ...job, type: 'scheduleUpdateTwin', updateTwin: { etag: '*', ...job.updateTwin } }
}
