import type { Command } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import type { Environment } from '../environment.ts'
import { CommandError } from '../failure.ts'
import { withoutControls } from '../plain-text.ts'
import { requireFile } from './device-import.ts'

/** `muster import-state`. */
export function addImportState(program: Command, environment: Environment): void {
  addHubCommand(program, {
    usage: 'import-state <file>',
    description:
      'take over the devices, modules and twins of an Azure IoT Hub from what "az iot hub state export" has written, and report what is different here',
    examples: ['muster import-state hub-state.json', 'muster import-state hub-state.json -o json > report.json'],
  })
    .option('--partial', 'leave out what no hub would take, and send the rest')
    .action(async (file: string, options: HubOptions & { readonly partial?: boolean }) => {
      await requireFile(file)
      const { client, output } = await openRun(options, environment)
      const [{ importEntries }, { readStateFile }, { placeUnderParents }, { openTransferProgress }, views] =
        await Promise.all([
          import('./import-entries.ts'),
          import('../files/state-file.ts'),
          import('./parents.ts'),
          import('./progress.ts'),
          import('./report-view.ts'),
        ])
      const state = await readStateFile(file)
      using progress = openTransferProgress(environment.stderr, 'the same command goes on')
      const { signal } = progress
      const isPartial = options.partial === true
      const imported = await importEntries(client, state.read, { isPartial, signal, onProgress: progress.show })
      progress[Symbol.dispose]()
      views.tellProblems(imported, environment)
      if (!imported.isSent) {
        throw new CommandError(`${file} has ${imported.faultCount} faults; nothing was sent (--partial sends the rest)`)
      }
      const parents = await placeUnderParents(client, state.parents, signal)
      views.tellFaults(parents.failed, parents.failedCount, environment)
      for (const { what, count } of state.notTaken)
        environment.stderr.write(`not taken: ${count} ${withoutControls(what)}\n`)
      await output.item(views.stateView, { ...imported, parents, notTaken: state.notTaken })
      const problems = imported.differentCount + imported.refusedCount + imported.faultCount + parents.failedCount
      if (problems > 0) process.exitCode = 1
    })
}
