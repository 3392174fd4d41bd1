import { cpus } from 'node:os'
import { Command, InvalidArgumentError } from 'commander'
import { benchCommands } from './callers/commands.ts'
import { benchListeners } from './callers/listeners.ts'
import { print } from './figures.ts'
import { benchLoad } from './load.ts'
import { benchQueries } from './queries.ts'
import { benchFairness } from './rollouts/fairness.ts'
import { benchRows } from './rows/rows.ts'
import { benchSeries } from './series.ts'
import { benchSizes } from './sizes.ts'
import { benchStatements } from './statements.ts'
import { benchSweeps } from './sweeps.ts'
import { benchTwinJob } from './twin-job.ts'
import { benchWaits } from './waits.ts'

interface Benchmark {
  /** For the help. */
  readonly measures: string
  readonly run: (deviceCount: number) => Promise<void>
}

/** `npm run bench [-- name ... --devices N]`: the benchmarks named, or all, one after the other, each on stores of its own. */
const benchmarks: Readonly<Record<string, Benchmark>> = {
  'twin-job': { measures: 'a job over all twins, beside a bare UPDATE of the same rows', run: benchTwinJob },
  queries: { measures: 'pages, conditions, groups and previews, as a caller gets them', run: benchQueries },
  rows: { measures: 'the devices of a job as a file, their counts and their failures', run: benchRows },
  statements: { measures: 'processor time of hot statements, planned once and each time', run: benchStatements },
  sweeps: { measures: 'a pass of each sweep, beside up to 1,000 running jobs that wait', run: benchSweeps },
  load: { measures: 'the statements behind the gauges of work and behind /internal/scaling', run: benchLoad },
  sizes: { measures: 'bytes on disk of twins and of the history of jobs', run: benchSizes },
  series: { measures: 'series that each role shows to Prometheus, while jobs run over all devices', run: benchSeries },
  listeners: { measures: 'the API process while 1,000 listen to jobs, beside a running job', run: benchListeners },
  commands: {
    measures: 'the start of the command line, and a file of all devices that it imports',
    run: benchCommands,
  },
  fairness: {
    measures: 'the first call of a small job beside large ones, and the share of a low priority',
    run: benchFairness,
  },
  waits: { measures: 'device jobs that wait: a partial index beside a table of their own', run: benchWaits },
}
const names = Object.keys(benchmarks)

const program = new Command('npm run bench --')
  .description('Measures this machine: most figures are ratios to what cannot be beaten on it.')
  .argument('[names...]', 'which benchmarks, default: all')
  .option('--devices <count>', 'how many devices the fleet has, 10000 to 9999999', parseDeviceCount, 100_000)
  .addHelpText('after', helpText())
  .showHelpAfterError('"npm run bench -- --help" tells more')
  .action(runBenchmarks)
await program.parseAsync()

async function runBenchmarks(wanted: readonly string[], { devices }: { readonly devices: number }): Promise<void> {
  const unknown = wanted.find((name) => !names.includes(name))
  if (unknown !== undefined)
    program.error(`error: there is no benchmark "${unknown}"; expected one of ${names.join(', ')}`)
  print(`machine             ${cpus().length} x ${cpus()[0]?.model}, Node ${process.versions.node}`)
  for (const [name, { run }] of Object.entries(benchmarks)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    print(`\n${name}`)
    await run(devices)
  }
}

function parseDeviceCount(text: string): number {
  if (/^[1-9]\d{4,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number from 10000 to 9999999')
}

function helpText(): string {
  const width = Math.max(...names.map((name) => name.length))
  const lines = Object.entries(benchmarks).map(([name, { measures }]) => `  ${name.padEnd(width)}  ${measures}`)
  return [
    '',
    'Benchmarks, each on a Postgres and a Redis of its own:',
    ...lines,
    '',
    'Example:',
    '  npm run bench -- twin-job --devices 100000',
  ].join('\n')
}
