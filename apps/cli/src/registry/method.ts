import type { MethodAnswer } from '@muster/client'
import type { Command } from 'commander'
import { openRun } from '../command/client-command.ts'
import { parseSeconds, readJson } from '../command/option-values.ts'
import type { Environment } from '../environment.ts'
import type { View } from '../output/format.ts'
import { addDeviceCommand, type DeviceOptions, deviceIdOf } from './device-command.ts'

interface InvokeOptions extends DeviceOptions {
  readonly moduleId?: string
  readonly methodName: string
  readonly methodPayload?: string
  readonly timeout?: number
  readonly connectTimeout?: number
}

const answerView: View<MethodAnswer> = {
  nameOf: ({ status }) => String(status),
  columns: [
    { head: 'STATUS', of: ({ status }) => status },
    { head: 'PAYLOAD', of: ({ payload }) => JSON.stringify(payload) },
  ],
}

/** `muster method`. The status of an answer is the device's own, so it does not change the exit code. */
export function addMethodCommands(program: Command, environment: Environment): void {
  const group = program.command('method').description('direct methods')
  addDeviceCommand(group, 'invoke', 'call a direct method on a device and print its answer', [
    'muster method invoke d1 --method-name reboot',
    `muster method invoke d1 --method-name blink --method-payload '{"times":3}' --timeout 10`,
  ])
    .option('-m, --module-id <id>', 'a module of the device')
    .requiredOption('--mn, --method-name <name>', 'the method')
    .option('--mp, --method-payload <json>', 'what to call it with: JSON, or a file with it')
    .option('--timeout <seconds>', 'how long the device may take, 5 to 300; by default 30', parseSeconds)
    .option('--connect-timeout <seconds>', 'how long to wait for it to connect; by default not at all', parseSeconds)
    .action(async (argument: string | undefined, options: InvokeOptions) => {
      const { methodName, methodPayload, moduleId, timeout, connectTimeout } = options
      const payload =
        methodPayload === undefined ? null : await readJson('--method-payload', methodPayload, environment)
      const { client, output } = await openRun(options, environment)
      const answer = await client.methods.invoke(
        { deviceId: deviceIdOf(argument, options), moduleId },
        { methodName, payload, responseTimeoutInSeconds: timeout, connectTimeoutInSeconds: connectTimeout },
      )
      await output.item(answerView, answer)
    })
}
