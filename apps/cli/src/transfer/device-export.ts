import type { Command } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import type { Environment } from '../environment.ts'
import { writeParts, writeSecret } from '../output/write-file.ts'

/** `muster device export`. */
export function addDeviceExport(group: Command, environment: Environment): void {
  addHubCommand(group, {
    usage: 'export [file]',
    description:
      'write every device and module with its settings, tags and desired properties, one JSON object in each line, as an import takes them; without a file, to standard output',
    examples: ['muster device export fleet.ndjson --keys', 'muster device export | jq -r .id'],
  })
    .option('--keys', 'also the keys: the file is a secret then, and only its owner may read it')
    .action(async (file: string | undefined, options: HubOptions & { readonly keys?: boolean }) => {
      const { client } = await openRun(options, environment)
      const withKeys = options.keys === true
      const [{ exportDevices }, { openTransferProgress }] = await Promise.all([
        import('./export-devices.ts'),
        import('./progress.ts'),
      ])
      using progress = openTransferProgress(environment.stderr, 'nothing was written to the file')
      let count = 0
      async function* lines() {
        for await (const line of exportDevices(client, { withKeys, signal: progress.signal })) {
          count += 1
          yield `${line}\n`
        }
      }
      if (file === undefined) return writeParts(lines(), undefined, environment.stdout)
      await writeSecret(lines(), file)
      environment.stderr.write(
        `${file}: ${count} devices and modules${withKeys ? ', with their keys' : ', without keys'}\n`,
      )
    })
}
