import type { TwinPatch } from '@muster/client'
import type { Command } from 'commander'
import { openRun } from '../command/client-command.ts'
import { confirm } from '../command/confirm.ts'
import { readJsonObject } from '../command/option-values.ts'
import type { Environment } from '../environment.ts'
import { usageError } from '../failure.ts'
import { addDeviceCommand, type DeviceOptions, deviceIdOf } from './device-command.ts'
import { twinView } from './views.ts'

interface TwinOptions extends DeviceOptions {
  readonly moduleId?: string
  readonly tags?: string
  readonly desired?: string
  readonly patch?: string
  readonly json?: string
  readonly etag?: string
  readonly yes?: boolean
}

/** `muster twin`. */
export function addTwinCommands(program: Command, environment: Environment): void {
  const group = program.command('twin').description('the twins of devices and modules: tags and properties')
  const moduleOption = ['-m, --module-id <id>', 'a module of the device'] as const
  const etagOption = ['--etag <etag>', 'only while it has this one'] as const
  addDeviceCommand(group, 'show', 'show a twin', ['muster twin show d1'])
    .option(...moduleOption)
    .action(async (argument: string | undefined, options: TwinOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.item(twinView, await client.twins.get(identityOf(argument, options)))
    })
  addDeviceCommand(group, 'update', 'merge a patch into a twin; a member that is null is removed', [
    `muster twin update d1 --tags '{"floor":3}'`,
    `muster twin update d1 --desired '{"interval":30,"old":null}'`,
  ])
    .option(...moduleOption)
    .option('--tags <json>', 'tags to change: JSON, or a file with it')
    .option('--desired <json>', 'desired properties to change: JSON, or a file with it')
    .option('--patch <json>', 'both, as {"tags":...,"properties":{"desired":...}}')
    .option(...etagOption)
    .action(async (argument: string | undefined, options: TwinOptions) => {
      const patch = await patchOf(options, environment)
      const { client, output } = await openRun(options, environment)
      const { etag } = options
      await output.item(twinView, await client.twins.update(identityOf(argument, options), patch, { etag }))
    })
  addDeviceCommand(group, 'replace', 'replace the tags and desired properties; what is left out is cleared', [
    'muster twin replace d1 --json twin.json',
    'muster twin replace d1 --json twin.json --yes',
  ])
    .option(...moduleOption)
    .requiredOption('-j, --json <json>', 'the twin: JSON, or a file with it')
    .option(...etagOption)
    .option('-y, --yes', 'do not ask')
    .action(async (argument: string | undefined, options: TwinOptions) => {
      const twin = await readJsonObject('--json', options.json ?? '', environment)
      const { client, output } = await openRun(options, environment)
      const { etag, yes } = options
      const identity = identityOf(argument, options)
      if (!yes) await confirm(questionOf(identity), environment)
      await output.item(twinView, await client.twins.replace(identity, twin, { etag }))
    })
}

function identityOf(argument: string | undefined, options: TwinOptions) {
  return { deviceId: deviceIdOf(argument, options), moduleId: options.moduleId }
}

function questionOf({ deviceId, moduleId }: ReturnType<typeof identityOf>): string {
  const whose = moduleId === undefined ? deviceId : `${deviceId}/${moduleId}`
  return `Replace the twin of ${whose}? All tags and desired properties that the new one leaves out are cleared.`
}

async function patchOf({ tags, desired, patch }: TwinOptions, environment: Environment): Promise<TwinPatch> {
  if (patch !== undefined && tags === undefined && desired === undefined) {
    return readJsonObject('--patch', patch, environment)
  }
  if (patch !== undefined) throw usageError('--patch excludes --tags and --desired')
  if (tags === undefined && desired === undefined)
    throw usageError('nothing is to change: give --tags, --desired or --patch')
  const read = (flag: string, given: string | undefined) =>
    given === undefined ? undefined : readJsonObject(flag, given, environment)
  return { tags: await read('--tags', tags), properties: { desired: await read('--desired', desired) } }
}
