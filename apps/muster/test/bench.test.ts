import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))

function bench(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', 'apps/muster/bench/main.ts', ...args],
    { cwd: root, encoding: 'utf8', timeout: 50_000 },
  )
  return { status, stdout, stderr }
}

it('the help of the benchmarks names each one, the options and an example, and measures nothing', () => {
  const { status, stdout, stderr } = bench('--help')

  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toMatch(/^Usage: npm run bench -- \[options\] \[names\.\.\.\]\n/)
  for (const name of 'twin-job queries rows statements sweeps load sizes series listeners commands fairness waits'.split(
    ' ',
  ))
    expect(stdout).toMatch(new RegExp(`^ {2}${name} +\\w`, 'm'))
  expect(stdout).toContain('--devices <count>')
  expect(stdout).toContain('npm run bench -- twin-job --devices 100000\n')
  expect(stdout).not.toContain('machine  ')
})

it.each([
  [
    ['job'],
    'error: there is no benchmark "job"; expected one of twin-job, queries, rows, statements, sweeps, load, sizes, series, listeners, commands, fairness, waits',
  ],
  [['--devices', '1'], "argument '1' is invalid. expected a whole number from 10000 to 9999999"],
  [['--device', '10000'], "error: unknown option '--device'"],
] as const)('the benchmarks refuse %j before they measure anything', (args, complaint) => {
  const { status, stdout, stderr } = bench(...args)

  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toContain(complaint)
  expect(stderr).not.toContain('    at ')
})
