import { access } from 'node:fs/promises'
import type { Command } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import type { Environment } from '../environment.ts'
import { CommandError } from '../failure.ts'

/** `muster device import`. */
export function addDeviceImport(group: Command, environment: Environment): void {
  addHubCommand(group, {
    usage: 'import <file>',
    description:
      'register the devices and modules of a file: .csv with a header, any other with one JSON object in each line. The file is checked whole first; what exists already stays as it is, so the same file can be sent again',
    examples: [
      'muster device import fleet.ndjson',
      'muster device import fleet.csv --partial',
      `echo '{"id":"d1","tags":{"floor":3},"properties":{"desired":{"interval":60}}}' > one.ndjson && muster device import one.ndjson`,
    ],
  })
    .option('--partial', 'leave out the lines that no hub would take, and send the rest')
    .action(async (file: string, options: HubOptions & { readonly partial?: boolean }) => {
      await requireFile(file)
      const { client, output } = await openRun(options, environment)
      const [{ importEntries }, { readDeviceFile }, { openTransferProgress }, { reportView, tellProblems }] =
        await Promise.all([
          import('./import-entries.ts'),
          import('../files/device-file.ts'),
          import('./progress.ts'),
          import('./report-view.ts'),
        ])
      using progress = openTransferProgress(environment.stderr, 'the same command goes on')
      const report = await importEntries(client, () => readDeviceFile(file), {
        isPartial: options.partial === true,
        signal: progress.signal,
        onProgress: progress.show,
      })
      progress[Symbol.dispose]()
      tellProblems(report, environment)
      if (!report.isSent) {
        throw new CommandError(`${file} has ${report.faultCount} faults; nothing was sent (--partial sends the rest)`)
      }
      await output.item(reportView, report)
      if (report.differentCount + report.refusedCount + report.faultCount > 0) process.exitCode = 1
    })
}

/** @throws CommandError */
export async function requireFile(file: string): Promise<void> {
  await access(file).catch((cause: NodeJS.ErrnoException) => {
    throw new CommandError(`${file} cannot be read (${cause.code})`, { cause })
  })
}
