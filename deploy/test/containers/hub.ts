import { eventually, type Project } from './project.ts'

const version = 'api-version=2021-04-12'

export interface JobStatus {
  readonly status: string
  readonly deviceJobStatistics: {
    readonly deviceCount: number
    readonly succeededCount: number
    readonly failedCount: number
    readonly pendingCount: number
    readonly runningCount: number
  }
}

/** Starts a direct method on every device. */
export async function startMethodJob(project: Project, jobId: string): Promise<void> {
  await answered(project, 'PUT', `/jobs/v2/${jobId}`, {
    jobId,
    type: 'scheduleDeviceMethod',
    cloudToDeviceMethod: { methodName: 'reboot', payload: {}, responseTimeoutInSeconds: 30 },
    queryCondition: '*',
    maxExecutionTimeInSeconds: 120,
  })
}

/** The job when it has ended. An api that dies under a question is asked again. */
export async function ended(project: Project, jobId: string): Promise<JobStatus> {
  const read = () =>
    answered<JobStatus>(project, 'GET', `/jobs/v2/${jobId}`).catch((error: Error) => ({ error: error.message }))
  const job = await eventually(read, (answer) => !('error' in answer) && answer.status === 'completed', {
    timeoutMs: 180_000,
  })
  if ('error' in job) throw new Error(job.error)
  return job
}

export async function connectedCount(project: Project): Promise<number> {
  const { connectedDeviceCount } = await answered<{ connectedDeviceCount: number }>(
    project,
    'GET',
    '/statistics/service',
  )
  return connectedDeviceCount
}

/** How many method calls the simulated devices have got, all together, as the simulator's log has it. */
export async function callCount(project: Project): Promise<number> {
  const log = await project.compose(['logs', '--no-log-prefix', 'simulator'])
  return Number(
    log
      .match(/(\d+) method calls/g)
      ?.at(-1)
      ?.split(' ')[0] ?? 0,
  )
}

async function answered<Body>(project: Project, method: string, path: string, body?: object): Promise<Body> {
  const reply = await project.call(method, `${path}?${version}`, body)
  if (reply.status !== 200) throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
  return reply.body as Body
}
