import { Command } from 'commander'
import { expect, it } from 'vitest'
import { addClientCommands } from '../client-commands.ts'
import { readEnvironment } from '../environment.ts'
import { ownWords } from './words.ts'

const program = new Command()
addClientCommands(
  program,
  readEnvironment(async () => ''),
)

/** What an option of an az command is here, by the name of its value. */
function memberOf(azure: string, flag: string): string | undefined {
  const words = ownWords(['iot', 'hub', ...azure.split(' ')])
  const command = words.reduce(
    (found, word) => found.commands.find((command) => command.name() === word) ?? found,
    program,
  )
  return command.options.find(({ short, long }) => flag === short || flag === long)?.attributeName()
}

it.each([
  ['job create', '--job-id', 'jobId'],
  ['job create', '--jt', 'jobType'],
  ['job create', '--query-condition', 'queryCondition'],
  ['job create', '--patch', 'twinPatch'],
  ['job create', '--mn', 'methodName'],
  ['job create', '--mp', 'methodPayload'],
  ['job create', '--mct', 'methodConnectTimeout'],
  ['job create', '--mrt', 'methodResponseTimeout'],
  ['job create', '--start', 'startTime'],
  ['job create', '--ttl', 'ttl'],
  ['job create', '--interval', 'pollInterval'],
  ['job create', '--duration', 'pollDuration'],
  ['job list', '--jt', 'jobType'],
  ['job list', '--js', 'jobStatus'],
  ['device-identity create', '--am', 'authMethod'],
  ['device-identity create', '--ee', 'edgeEnabled'],
  ['device-identity create', '--pk', 'primaryKey'],
  ['device-identity create', '--sk', 'secondaryKey'],
  ['device-identity create', '--ptp', 'primaryThumbprint'],
  ['device-identity create', '--stp', 'secondaryThumbprint'],
  ['device-identity create', '--sta', 'status'],
  ['device-identity update', '--star', 'statusReason'],
  ['device-identity update', '--device-id', 'deviceId'],
  ['device-twin update', '--tags', 'tags'],
  ['device-twin update', '--desired', 'desired'],
  ['module-twin update', '--module-id', 'moduleId'],
  ['device-twin replace', '--json', 'json'],
  ['invoke-device-method', '--mn', 'methodName'],
  ['invoke-device-method', '--mp', 'methodPayload'],
  ['query', '--query-command', 'queryCommand'],
])('az iot hub %s knows %s', (azure, flag, value) => {
  expect(memberOf(azure, flag)).toBe(value)
})

it('a short name of one command does not change an option of another', () => {
  expect(memberOf('device-twin update', '--patch')).toBe('patch')
  expect(memberOf('job cancel', '--start')).toBeUndefined()
})
