import type { Command } from 'commander'
import { orderHelp } from './command/client-command.ts'
import { addContextCommands } from './contexts.ts'
import type { Environment } from './environment.ts'
import { addJobCommands } from './jobs/job.ts'
import { addStopCommands } from './jobs/stops.ts'
import { addDeviceCommands } from './registry/device.ts'
import { addMethodCommands } from './registry/method.ts'
import { addQueryCommand } from './registry/query.ts'
import { addTwinCommands } from './registry/twin.ts'
import { addScheduleCommands } from './schedules/schedule.ts'
import { addImportState } from './transfer/import-state.ts'
import { addWebhookCommands } from './webhooks/webhook.ts'

/** The commands for callers of a hub. */
export function addClientCommands(program: Command, environment: Environment): void {
  orderHelp(program)
  addJobCommands(program, environment)
  addStopCommands(program, environment)
  addDeviceCommands(program, environment)
  addTwinCommands(program, environment)
  addMethodCommands(program, environment)
  addQueryCommand(program, environment)
  addScheduleCommands(program, environment)
  addWebhookCommands(program, environment)
  addImportState(program, environment)
  addContextCommands(program, environment)
}
