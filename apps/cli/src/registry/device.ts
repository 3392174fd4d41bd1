import { formatConnectionString } from '@muster/auth/connection-string'
import type { Twin } from '@muster/client'
import type { Command } from 'commander'
import { addHubCommand, type HubOptions, openRun } from '../command/client-command.ts'
import { parseCount } from '../command/option-values.ts'
import { take } from '../command/take.ts'
import type { Environment } from '../environment.ts'
import { CommandError } from '../failure.ts'
import { addDeviceExport } from '../transfer/device-export.ts'
import { addDeviceImport } from '../transfer/device-import.ts'
import { addDeviceDelete } from './delete.ts'
import { addDeviceCommand, type DeviceOptions, deviceIdOf } from './device-command.ts'
import { devicesQuery } from './devices-query.ts'
import { addDraftOptions, type DraftOptions, draftOf } from './draft.ts'
import { deviceView, twinView } from './views.ts'

/** `muster device`. */
export function addDeviceCommands(program: Command, environment: Environment): void {
  const group = program.command('device').description('the registry: which devices there are, and their keys')
  addWriters(group, environment)
  addList(group, environment)
  addDeviceCommand(group, 'show', 'show a device with its keys', ['muster device show d1 -o json']).action(
    async (argument: string | undefined, options: DeviceOptions) => {
      const { client, output } = await openRun(options, environment)
      await output.item(deviceView, await client.devices.get(deviceIdOf(argument, options)))
    },
  )
  addDeviceDelete(group, environment)
  addDeviceImport(group, environment)
  addDeviceExport(group, environment)
  addConnectionString(group, environment)
}

function addWriters(group: Command, environment: Environment): void {
  const create = addDeviceCommand(group, 'create', 'register a device; without keys it gets new ones', [
    'muster device create d1',
    'muster device create d2 --auth-method x509_thumbprint --primary-thumbprint 0123456789abcdef0123456789abcdef01234567',
  ])
  addDraftOptions(create).action(async (argument: string | undefined, options: DraftOptions) => {
    const { client, output } = await openRun(options, environment)
    await output.item(deviceView, await client.devices.create(deviceIdOf(argument, options), draftOf(options)))
  })
  const update = addDeviceCommand(group, 'update', 'change a device; what is not named stays as it is', [
    'muster device update d1 --status disabled --status-reason "in repair"',
  ])
  addDraftOptions(update)
    .option('--etag <etag>', 'only while it has this one')
    .action(async (argument: string | undefined, options: DraftOptions & { etag?: string }) => {
      const { client, output } = await openRun(options, environment)
      const { etag } = options
      const device = await client.devices.update(deviceIdOf(argument, options), draftOf(options), { etag })
      await output.item(deviceView, device)
    })
}

function addList(group: Command, environment: Environment): void {
  addHubCommand(group, {
    usage: 'list',
    description: 'list devices, as their twins show them',
    examples: ['muster device list', 'muster device list -q "tags.floor = 3" -o wide'],
  })
    .option('-q, --query-condition <condition>', 'only those whose twins meet it')
    .option('--top <count>', 'at most so many', parseCount)
    .action(async (options: HubOptions & { queryCondition?: string; top?: number }) => {
      const { client, output } = await openRun(options, environment)
      const query = devicesQuery('*', options.queryCondition ?? '*')
      const twins = client.query<Twin>(query, { pageSize: options.top ?? 1000 })
      await output.list(twinView, take(twins, options.top))
    })
}

function addConnectionString(group: Command, environment: Environment): void {
  addDeviceCommand(group, 'connection-string', 'print what a device connects with', [
    'muster device connection-string d1 -o tsv',
  ]).action(async (argument: string | undefined, options: DeviceOptions) => {
    const { client, output, hostName } = await openRun(options, environment)
    const deviceId = deviceIdOf(argument, options)
    const { authentication } = await client.devices.get(deviceId)
    const sharedAccessKey = authentication.symmetricKey.primaryKey
    if (authentication.type !== 'sas' || !sharedAccessKey) {
      throw new CommandError(`the device ${deviceId} has no key: it connects with ${authentication.type ?? 'nothing'}`)
    }
    const connectionString = formatConnectionString({ hostName, deviceId, sharedAccessKey })
    await (['table', 'wide'].includes(options.output) && options.query === undefined
      ? output.value(connectionString)
      : output.value({ connectionString }))
  })
}
