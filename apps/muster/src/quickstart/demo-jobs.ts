import { setTimeout as sleep } from 'node:timers/promises'
import type { HubClient } from '@muster/simulator'
import { queryDeviceJobs, queryTwins, type TwinReply } from './api-calls.ts'
import { type DemoDevice, queryCondition } from './demo-fleet.ts'
import { followJob } from './follow-job.ts'
import { judgeMethodJob, judgeTwinJob, notCaughtUp } from './judge.ts'
import { openProgress } from './progress.ts'
import { resultTable } from './result-table.ts'

/** The things that both jobs of the demo use. */
export interface Stage {
  readonly client: HubClient
  readonly target: readonly DemoDevice[]
  readonly output: NodeJS.WriteStream
  readonly signal: AbortSignal
  /** The end of the job ids of this run, because the ids of earlier runs are taken. */
  readonly run: string
}

/** Devices report within milliseconds; a busy machine may need longer. */
const reportMs = 10_000

/** Sets a tag and a desired property. Returns the differences from the expected results. */
export async function runTwinJob(stage: Stage): Promise<string[]> {
  const { client, target, output } = stage
  const jobId = `demo-twin-${stage.run}`
  const patch = { tags: { release: jobId }, desired: { firmware: { version: '2.4.1', release: jobId } } }
  const request = {
    jobId,
    type: 'scheduleUpdateTwin',
    updateTwin: { etag: '*', tags: patch.tags, properties: { desired: patch.desired } },
    queryCondition,
    maxExecutionTimeInSeconds: 60,
  }

  const job = await followJob(client, request, { progress: openProgress('twin job  ', output), signal: stage.signal })
  const rows = await queryDeviceJobs(client, jobId)
  const twins = await readCaughtUpTwins(stage, patch.desired)

  const behind = notCaughtUp(target, patch.desired, twins)
  const reported = twins.filter(({ properties }) => 'firmware' in properties.reported).length
  output.write(`${resultTable(rows)}\n`)
  output.write(`  ${reported} devices have reported the new desired properties; one is offline\n\n`)
  return [...judgeTwinJob(target, patch, { job, rows, twins }), ...behind]
}

/** Calls a method. Its window is short, so that the device that never comes online ends the job soon. */
export async function runMethodJob({ client, target, output, signal, run }: Stage): Promise<string[]> {
  const jobId = `demo-method-${run}`
  const request = {
    jobId,
    type: 'scheduleDeviceMethod',
    cloudToDeviceMethod: { methodName: 'reboot', payload: { delaySeconds: 1 }, responseTimeoutInSeconds: 5 },
    queryCondition,
    maxExecutionTimeInSeconds: 8,
  }

  const job = await followJob(client, request, { progress: openProgress('method job', output), signal })
  const rows = await queryDeviceJobs(client, jobId)

  output.write(`${resultTable(rows)}\n`)
  return judgeMethodJob(target, { job, rows })
}

async function readCaughtUpTwins({ client, target, signal }: Stage, desired: object): Promise<TwinReply[]> {
  const giveUpAtMs = performance.now() + reportMs
  let twins = await queryTwins(client, queryCondition)
  while (notCaughtUp(target, desired, twins).length > 0 && performance.now() < giveUpAtMs) {
    await sleep(100, undefined, { signal })
    twins = await queryTwins(client, queryCondition)
  }
  return twins
}
