import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { print } from './figures.ts'
import { benchQueries } from './queries.ts'
import { benchStatements } from './statements.ts'
import { benchTwinJob } from './twin-job.ts'

/** `npm run bench [-- name ... --devices N]`: the benchmarks named, or all, one after the other, each on stores of its own. */
const benchmarks: Readonly<Record<string, (deviceCount: number) => Promise<void>>> = {
  'twin-job': benchTwinJob,
  queries: benchQueries,
  statements: benchStatements,
}

const { values, positionals } = parseArgs({
  options: { devices: { type: 'string', default: '100000' } },
  allowPositionals: true,
})
const unknown = positionals.find((name) => !Object.hasOwn(benchmarks, name))

if (unknown !== undefined) {
  refuse(`there is no benchmark "${unknown}"; expected ${Object.keys(benchmarks).join(' or ')}`)
} else if (!/^[1-9]\d{4,6}$/.test(values.devices)) {
  refuse(`--devices must be a whole number from 10000 to 9999999, got "${values.devices}"`)
} else {
  print(`machine             ${cpus().length} x ${cpus()[0]?.model}, Node ${process.versions.node}`)
  for (const [name, bench] of Object.entries(benchmarks)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue
    print(`\n${name}`)
    await bench(Number(values.devices))
  }
}

function refuse(complaint: string): void {
  process.stderr.write(`${complaint}\n`)
  process.exitCode = 1
}
