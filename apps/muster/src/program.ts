import { defaultDataDir } from '@muster/local-services'
import { type Config, explainConfig, loadConfig, readVersion, roleNames, runRoles } from '@muster/runtime'
import { simulateCommand } from '@muster/simulator'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { awaitDatabase } from './await-database.ts'
import { makeConnectionString, makeToken } from './credentials.ts'
import { checkDatabase, describePreparation, prepareDatabase } from './database.ts'
import { hubFilePath } from './hub-file.ts'
import { live } from './lifetime.ts'
import { startLocalHub } from './local-hub.ts'
import { quickstart } from './quickstart/quickstart.ts'
import { roles } from './roles.ts'

/** The command line of `muster`. A command throws StartError when the environment is wrong. Help and version need no environment. */
export function createProgram(): Command {
  const dataDir = defaultDataDir()
  const config = () => loadConfig({ dataDir })
  // A whole hub on one machine serves only that machine, unless its owner says otherwise.
  const ownMachine = { dataDir, bind: '127.0.0.1' }
  const policyOption = new Option('--policy <name>', 'the policy whose key is used').default('iothubowner')
  const program = new Command('muster')
    .description('Fleet jobs for IoT devices that anyone can host')
    .version(readVersion())
    .showHelpAfterError('"muster --help" tells more')
    .addArgument(new Argument('<roles...>', 'roles to run in this process').choices(roleNames))
    .action((names: readonly string[]) => serveRoles(names, config()))

  program
    .command('all')
    .description('run a whole hub in this process; its own stores unless DATABASE_URL and REDIS_URL are set')
    .action(() => serveAll(loadConfig(ownMachine)))
  program
    .command('quickstart')
    .description('run a whole hub and show it at work on 200 simulated devices')
    .addOption(
      new Option('--once', 'end after the demo, with 0 if its results are what they must be').conflicts('demo'),
    )
    .option('--no-demo', 'only run the hub')
    .action((options) => quickstart(loadConfig(ownMachine), options))
  program
    .command('migrate')
    .description('bring the database up to date and store the access policies')
    .option('--check', 'change nothing; end with 0 if this version can work with the database')
    .option('--wait <seconds>', 'how long to wait for a database that is not there yet', parseSeconds, 0)
    .action(async ({ check, wait }) => {
      const work = check ? checkDatabase : async (given: Config) => describePreparation(await prepareDatabase(given))
      print(await awaitDatabase(() => work(config()), wait))
    })
  program
    .command('token')
    .description('print a token for the service API')
    .addOption(policyOption)
    .option('--ttl <seconds>', 'how long it is good', parseSeconds, 3600)
    .action(async ({ policy, ttl }) => print(await makeToken(config(), policy, ttl)))
  program
    .command('connection-string')
    .description('print what the service SDKs connect with')
    .addOption(policyOption)
    .action(async ({ policy }) => print(await makeConnectionString(config(), policy)))
  program
    .command('config')
    .description('print every setting, its value without secrets, and where it comes from')
    .action(() => print(linesOf(explainConfig({ dataDir }))))
  return program.addCommand(simulateCommand({ hubFile: () => hubFilePath(config().dataDir) }))
}

function serveRoles(names: readonly string[], config: Config): Promise<void> {
  return live(async (lifetime) => {
    const running = await runRoles(
      roles.filter(({ name }) => names.includes(name)),
      config,
    )
    lifetime.defer(() => running.stop('asked to'))
    return 'serving'
  })
}

function serveAll(config: Config): Promise<void> {
  return live(async (lifetime) => {
    await startLocalHub(lifetime, config)
    return 'serving'
  })
}

/** JSON, with a line for each member. */
function linesOf(members: object): string {
  const lines = Object.entries(members).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`)
  return `{\n${lines.join(',\n')}\n}`
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (Number.isInteger(seconds) && seconds > 0) return seconds
  throw new InvalidArgumentError('expected a whole number of seconds, at least 1')
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
