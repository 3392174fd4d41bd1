import type { Schedule } from '@muster/client'
import { type Command, Option } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import { confirm } from '../command/confirm.ts'
import { parseCount, parseSeconds } from '../command/option-values.ts'
import type { Environment } from '../environment.ts'
import { addWorkOptions, type WorkOptions, workOf } from '../jobs/create.ts'
import type { View } from '../output/format.ts'

const scheduleView: View<Schedule> = {
  nameOf: ({ id }) => id,
  columns: [
    { head: 'SCHEDULE', of: ({ id }) => id },
    {
      head: 'TIMES',
      of: ({ cron, timeZone, every }) => (cron === undefined ? `every ${every} s` : `${cron} ${timeZone}`),
    },
    { head: 'NEXT', of: ({ nextRunTimes }) => nextRunTimes[0] },
    { head: 'RUNS', of: ({ runCount }) => runCount },
    { head: 'SKIPPED', of: ({ skippedCount }) => skippedCount },
    { head: 'MISSED', of: ({ missedCount }) => missedCount },
    { head: 'LAST JOB', of: ({ lastJobId }) => lastJobId },
    { head: 'OVERLAP', of: ({ overlap }) => overlap, isWide: true },
    { head: 'CATCH UP', of: ({ catchUp }) => catchUp, isWide: true },
    { head: 'TYPE', of: ({ job }) => job.type, isWide: true },
    { head: 'CONDITION', of: ({ job }) => job.queryCondition ?? job.deviceIds?.join(', '), isWide: true },
  ],
}

interface PutOptions extends WorkOptions {
  readonly cron?: string
  readonly timeZone?: string
  readonly every?: number
  readonly overlap?: Schedule['overlap']
  readonly catchUp?: Schedule['catchUp']
  readonly startAt?: string
  readonly endAt?: string
  readonly maxRuns?: number
}

/** `muster schedule`. */
export function addScheduleCommands(program: Command, environment: Environment): void {
  const group = program
    .command('schedule')
    .description('jobs that come again, at times of a calendar or every so often')
  addPut(group, environment)
  addScheduleCommand(group, 'show', 'show a schedule, with its next runs', [
    'muster schedule show weekly -o json',
  ]).action(async (id: string, options: HubOptions) => {
    const { client, output } = await openRun(options, environment)
    await output.item(scheduleView, await client.schedules.get(id))
  })
  addHubCommand(group, { usage: 'list', description: 'list schedules', examples: ['muster schedule list'] }).action(
    async (options: HubOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.list(scheduleView, client.schedules.list())
    },
  )
  addScheduleCommand(group, 'delete', 'delete a schedule; the jobs that it has made go on', [
    'muster schedule delete weekly',
  ])
    .option('-y, --yes', 'do not ask')
    .action(async (id: string, options: HubOptions & { yes?: boolean }) => {
      const { client } = await openRun(options, environment)
      if (!options.yes) {
        const { nextRunTimes } = await client.schedules.get(id)
        await confirm(`Delete the schedule ${id}, whose next run is ${nextRunTimes[0] ?? 'never'}?`, environment)
      }
      await client.schedules.delete(id)
    })
}

function addPut(group: Command, environment: Environment): void {
  const command = addScheduleCommand(
    group,
    'put',
    'create or replace a schedule; jobs that it has made stay as they are',
    [
      'muster schedule put weekly --cron "0 3 * * 1" --time-zone Europe/Berlin -q "tags.floor = 3" --method-name reboot',
      `muster schedule put hourly --every 3600 -q "*" --twin-patch '{"tags":{"checked":true}}' --overlap queue`,
    ],
  )
  addWorkOptions(command)
    .option('--cron <fields>', 'the times: minute, hour, day of the month, month and day of the week')
    .option('--tz, --time-zone <zone>', 'the zone of these times, such as Europe/Berlin; by default UTC')
    .option('--every <seconds>', 'every so many seconds instead, at least 60', parseSeconds)
    .addOption(overlapOption())
    .addOption(
      new Option(
        '--catch-up <kind>',
        'whether the last of the runs that were missed is made late; by default none',
      ).choices(['none', 'last']),
    )
    .option('--start-at <time>', 'no run before it, in ISO 8601')
    .option('--end-at <time>', 'no run after it')
    .option('--max-runs <count>', 'jobs that it makes at most', parseCount)
    .action(async (id: string, options: PutOptions) => {
      const { cron, timeZone, every, overlap, catchUp, startAt, endAt, maxRuns } = options
      const job = await workOf(options, environment)
      const { client, output } = await openRun(options, environment)
      const draft = { cron, timeZone, every, overlap, catchUp, startAt, endAt, maxRuns, job }
      await output.item(scheduleView, await client.schedules.put(id, draft))
    })
}

function overlapOption(): Option {
  const description = 'what becomes of a run whose time has come before the last has ended; by default skip'
  return new Option('--overlap <kind>', description).choices(['skip', 'queue', 'cancelPrevious'])
}

function addScheduleCommand(group: Command, name: string, description: string, examples: readonly string[]): Command {
  return addHubCommand(group, { usage: `${name} <schedule>`, description, examples })
}
