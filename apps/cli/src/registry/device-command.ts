import { type Command, Option } from 'commander'
import { addHubCommand, type HubOptions, idOf } from '../command/client-command.ts'

export interface DeviceOptions extends HubOptions {
  readonly deviceId?: string
}

/** A command about one device. */
export function addDeviceCommand(
  group: Command,
  name: string,
  description: string,
  examples: readonly string[],
): Command {
  return addHubCommand(group, { usage: `${name} [device-id]`, description, examples }).addOption(
    new Option('-d, --device-id <id>').hideHelp(),
  )
}

export function deviceIdOf(argument: string | undefined, { deviceId }: DeviceOptions): string {
  return idOf('device id', argument, deviceId, '--device-id')
}
