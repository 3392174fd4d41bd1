import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import type { Command } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import type { Environment } from '../environment.ts'

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
      const [{ exportDevices }, { openTransferProgress }] = await Promise.all([
        import('./export-devices.ts'),
        import('./progress.ts'),
      ])
      using progress = openTransferProgress(environment.stderr, 'the file is not whole')
      const target = file === undefined ? environment.stdout : createWriteStream(file, { mode: 0o600 })
      let count = 0
      for await (const line of exportDevices(client, { withKeys: options.keys === true, signal: progress.signal })) {
        if (!target.write(`${line}\n`)) await once(target, 'drain', { signal: progress.signal })
        count += 1
      }
      if (file === undefined) return
      target.end()
      await once(target, 'finish')
      environment.stderr.write(
        `${file}: ${count} devices and modules${options.keys === true ? ', with their keys' : ', without keys'}\n`,
      )
    })
}
