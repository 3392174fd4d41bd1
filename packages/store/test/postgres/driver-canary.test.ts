import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createDatabase, type TestDatabase } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { DriverName } from './driver-canary/drivers.ts'
import { type FaultName, faults } from './driver-canary/faults.ts'
import { attemptMs, type Report, reportOn } from './driver-canary/report.ts'

// Decision 7 (docs/adr/0007-node-postgres.md) turned postgres.js down for these faults. The test fails when they are gone.

/** How often each fault is tried. Without it, each that is no matter of chance is tried once. */
const longRuns = Number(process.env.MUSTER_TEST_CANARY_RUNS) || 0
const names = (Object.keys(faults) as FaultName[]).filter((name) => longRuns > 0 || name !== 'load')
const runs = longRuns || 1

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase(inject('databaseUrl'))
})
afterAll(() => database[Symbol.asyncDispose]())

describe('when its connections are lost,', { timeout: attemptMs * names.length * runs }, () => {
  it('postgres.js still shows a fault that it was turned down for', async () => {
    const reports = await report('postgres.js')

    expect(withVerdict('shown', reports), reasonToFail(reports)).not.toEqual([])
  })

  it('node-postgres shows none of these faults', async () => {
    const reports = await report('node-postgres')

    expect(withVerdict('shown', reports)).toEqual([])
    expect(withVerdict('not shown', reports)).not.toEqual([])
  })
})

async function report(driver: DriverName): Promise<Report[]> {
  const reports = await reportOn(driver, { url: database.url, names, runs })
  process.stdout.write(`${driver} ${versionOf(driver)}\n${reports.map(({ text }) => text).join('')}`)
  return reports
}

function reasonToFail(reports: readonly Report[]): string {
  const untried = withVerdict('not tried', reports)
  if (untried.length > 0)
    return `postgres.js shows none of the faults, but some could not be tried: ${untried.join(', ')}`
  return 'postgres.js shows none of the faults any more: decision 7 (docs/adr/0007-node-postgres.md) is to be taken again'
}

function withVerdict(kind: Report['kind'], reports: readonly Report[]): FaultName[] {
  return reports.filter((report) => report.kind === kind).map(({ fault }) => fault)
}

function versionOf(driver: DriverName): string {
  const name = driver === 'postgres.js' ? 'postgres' : 'pg'
  const [folders = ''] = createRequire(import.meta.url)
    .resolve(name)
    .split(join('node_modules', name))
  return JSON.parse(readFileSync(join(folders, 'node_modules', name, 'package.json'), 'utf8')).version
}
