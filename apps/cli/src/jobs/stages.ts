import type { JobStage } from '@muster/client'
import type { Command } from 'commander'
import { openRun } from '../command/client-command.ts'
import type { Environment } from '../environment.ts'
import type { View } from '../output/format.ts'
import { addJobCommand, type JobOptions, jobIdOf } from './job-command.ts'

/** `muster job stages` and `muster job next`. */
export function addJobStages(group: Command, environment: Environment): void {
  const show = 'list the stages of a job, and what the next one waits for'
  addJobCommand(group, 'stages', show, ['muster job stages reboot-floor-3']).action(
    async (argument: string | undefined, options: JobOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.list(stageView, await client.jobs.stages(jobIdOf(argument, options)))
    },
  )
  const next = 'open the next stage of a job now, whatever the gate before it says'
  addJobCommand(group, 'next', next, ['muster job next reboot-floor-3']).action(
    async (argument: string | undefined, options: JobOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.list(stageView, await client.jobs.openNextStage(jobIdOf(argument, options)))
    },
  )
}

const stageView: View<JobStage> = {
  nameOf: ({ stageNo }) => String(stageNo),
  columns: [
    { head: 'STAGE', of: ({ stageNo }) => stageNo },
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'DEVICES', of: ({ deviceJobStatistics: counts }) => counts.deviceCount },
    { head: 'SUCCEEDED', of: ({ deviceJobStatistics: counts }) => counts.succeededCount },
    { head: 'FAILED', of: ({ deviceJobStatistics: counts }) => counts.failedCount },
    { head: 'RUNNING', of: ({ deviceJobStatistics: counts }) => counts.runningCount, isWide: true },
    { head: 'PENDING', of: ({ deviceJobStatistics: counts }) => counts.pendingCount, isWide: true },
    { head: 'OPENED', of: ({ openedTime }) => openedTime },
    { head: 'WAITS FOR', of: ({ waitsFor }) => waitsFor?.kind },
    { head: 'WHY', of: ({ waitsFor, reason }) => waitsFor?.text ?? reason },
  ],
}
