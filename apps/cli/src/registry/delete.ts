import type { Client, Twin } from '@muster/client'
import type { Command } from 'commander'
import { openRun } from '../command/client-command.ts'
import { confirm } from '../command/confirm.ts'
import type { Environment } from '../environment.ts'
import { CommandError, usageError } from '../failure.ts'
import { addDeviceCommand, type DeviceOptions, deviceIdOf } from './device-command.ts'
import { devicesQuery } from './devices-query.ts'

interface DeleteOptions extends DeviceOptions {
  readonly queryCondition?: string
  readonly etag?: string
  readonly yes?: boolean
}

/** `muster device delete`. */
export function addDeviceDelete(group: Command, environment: Environment): void {
  addDeviceCommand(group, 'delete', 'delete a device, or all that meet a condition, with their twins and modules', [
    'muster device delete d1',
    'muster device delete d1 --yes',
    'muster device delete -q "tags.building = 43" --yes',
  ])
    .option('-q, --query-condition <condition>', 'all devices whose twins meet it; * for all')
    .option('--etag <etag>', 'only while it has this one')
    .option('-y, --yes', 'do not ask')
    .action(async (argument: string | undefined, options: DeleteOptions) => {
      const { client } = await openRun(options, environment)
      if (options.queryCondition === undefined) {
        const deviceId = deviceIdOf(argument, options)
        if (!options.yes) await confirm(`Delete the device ${deviceId}, with its twin and modules?`, environment)
        return client.devices.delete(deviceId, { etag: options.etag })
      }
      if (argument !== undefined || options.deviceId !== undefined || options.etag !== undefined) {
        throw usageError('--query-condition excludes a device id and --etag')
      }
      await deleteMany(client, options.queryCondition, options, environment)
    })
}

/** The most that the hub takes in one call. */
const changesMax = 100

async function deleteMany(
  client: Client,
  condition: string,
  { yes }: DeleteOptions,
  environment: Environment,
): Promise<void> {
  const { deviceCount } = await client.jobs.preview({ queryCondition: condition })
  if (deviceCount === 0) throw new CommandError(`no device meets ${condition}`)
  const question = `${deviceCount} devices meet the condition. Delete them, with their twins and modules?`
  if (!yes) await confirm(question, environment)
  const deletedCount = await deleteAtMost(client, condition, deviceCount)
  environment.stderr.write(`${deletedCount} devices deleted\n`)
}

/** @throws CommandError when more devices meet the condition than were counted: nobody has agreed to those */
async function deleteAtMost(client: Client, condition: string, countMax: number): Promise<number> {
  let deletedCount = 0
  // A page at a time is read and deleted, so the first page is each time the next.
  for (let left = countMax; ; ) {
    const found = await firstPage(client, condition)
    if (found.length === 0) return deletedCount
    if (left === 0) {
      throw new CommandError(
        `${deletedCount} devices deleted; since they were counted, more have come to meet the condition, and are left`,
      )
    }
    const changes = found.slice(0, left).map(({ deviceId }) => ({ id: deviceId, importMode: 'delete' }) as const)
    const { errors } = await client.devices.change(changes)
    const refused = errors.filter(({ errorCode }) => errorCode !== 'DeviceNotFound')
    if (refused[0] !== undefined) throw new CommandError(`${refused[0].deviceId}: ${refused[0].errorStatus}`)
    deletedCount += changes.length - errors.length
    left -= changes.length
  }
}

async function firstPage(client: Client, condition: string): Promise<readonly Pick<Twin, 'deviceId'>[]> {
  const rows = client.query<Pick<Twin, 'deviceId'>>(devicesQuery('deviceId', condition), { pageSize: changesMax })
  for await (const page of rows.pages()) return page
  return []
}
