import type { Config, Role } from '@muster/runtime'
import { Argument, type Command, InvalidArgumentError, Option } from 'commander'

/**
 * The commands that run a hub, or prepare one. Each loads what it needs only when it runs, because that takes a second. A command
 * throws StartError when the environment is wrong.
 */
export async function addServerCommands(program: Command, words: readonly string[]): Promise<void> {
  addServing(program)
  addDatabase(program)
  addCredentials(program)
  program
    .command('config')
    .description('print every setting, its value without secrets, and where it comes from')
    .addHelpText('after', examples('muster config'))
    .action(async () => {
      const { explainConfig } = await import('@muster/runtime')
      print(linesOf(explainConfig({ dataDir: await dataDir() })))
    })
  await addSimulate(program, words)
}

/** The roles, as `muster <role>...` names them too. */
export const roleNames: readonly Role['name'][] = ['api', 'dispatcher', 'worker', 'gateway']

function addServing(program: Command): void {
  program
    .command('serve')
    .description('run roles of a hub in this process, on DATABASE_URL and REDIS_URL')
    .addArgument(new Argument('<roles...>', 'the roles').choices(roleNames))
    .addHelpText('after', examples('muster serve api gateway'))
    .action(async (names: readonly string[]) => (await import('./serve.ts')).serveRoles(names, await config()))
  program
    .command('all')
    .description('run a whole hub in this process; its own stores unless DATABASE_URL and REDIS_URL are set')
    .addHelpText('after', examples('muster all'))
    .action(async () => (await import('./serve.ts')).serveAll(await config({ isForOwnMachine: true })))
  program
    .command('quickstart')
    .description('run a whole hub and show it at work on 200 simulated devices')
    .addOption(
      new Option('--once', 'end after the demo, with 0 if its results are what they must be').conflicts('demo'),
    )
    .option('--no-demo', 'only run the hub')
    .addHelpText('after', examples('muster quickstart --once'))
    .action(async (options) => {
      const { quickstart } = await import('./quickstart/quickstart.ts')
      await quickstart(await config({ isForOwnMachine: true }), options)
    })
}

function addDatabase(program: Command): void {
  program
    .command('migrate')
    .description('bring the database up to date and store the access policies')
    .option('--check', 'change nothing; end with 0 if this version can work with the database')
    .option('--wait <seconds>', 'how long to wait for a database that is not there yet', parseSeconds, 0)
    .addHelpText('after', examples('muster migrate --wait 60'))
    .action(async ({ check, wait }: { check?: true; wait: number }) => {
      const [{ awaitDatabase }, { checkDatabase, describePreparation, prepareDatabase }] = await Promise.all([
        import('./await-database.ts'),
        import('./database.ts'),
      ])
      const settings = await config()
      const work = check ? checkDatabase : async (given: Config) => describePreparation(await prepareDatabase(given))
      print(await awaitDatabase(() => work(settings), wait))
    })
}

function addCredentials(program: Command): void {
  const policyOption = new Option('--policy <name>', 'the policy whose key is used').default('iothubowner')
  program
    .command('token')
    .description('print a token for the service API')
    .addOption(policyOption)
    .option('--ttl <seconds>', 'how long it is good', parseSeconds, 3600)
    .addHelpText('after', examples('muster token --policy service --ttl 600'))
    .action(async ({ policy, ttl }: { policy: string; ttl: number }) => {
      const { makeToken } = await import('./credentials.ts')
      print(await makeToken(await config(), policy, ttl))
    })
  program
    .command('connection-string')
    .description('print what the service SDKs connect with')
    .addOption(policyOption)
    .addHelpText('after', examples('muster connection-string --policy service'))
    .action(async ({ policy }: { policy: string }) => {
      const { makeConnectionString } = await import('./credentials.ts')
      print(await makeConnectionString(await config(), policy))
    })
}

/** Its options know the rules of the contract, and load it. While a shell completes other words, the name is enough. */
async function addSimulate(program: Command, words: readonly string[]): Promise<void> {
  if (words[0] === 'complete' && !words.includes('simulate')) {
    program.command('simulate').description('register simulated devices, connect them and let them answer')
    return
  }
  const { simulateCommand } = await import('@muster/simulator')
  const command = simulateCommand({
    hubFile: async () => (await import('./hub-file.ts')).hubFilePath((await config()).dataDir),
  })
  program.addCommand(
    command
      .copyInheritedSettings(program)
      .addHelpText('after', examples('muster simulate --devices 50 --tags \'{"building":43}\'')),
  )
}

async function config({ isForOwnMachine = false } = {}): Promise<Config> {
  const { loadConfig } = await import('@muster/runtime')
  // A whole hub on one machine serves only that machine, unless its owner says otherwise.
  return loadConfig({ dataDir: await dataDir(), ...(isForOwnMachine ? { bind: '127.0.0.1' } : {}) })
}

async function dataDir(): Promise<string> {
  const { defaultDataDir } = await import('@muster/local-services')
  return defaultDataDir()
}

function examples(...lines: readonly string[]): string {
  return ['', lines.length === 1 ? 'Example:' : 'Examples:', ...lines.map((line) => `  ${line}`)].join('\n')
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
