import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { DriverName } from './drivers.ts'
import { type FaultName, faults } from './faults.ts'
import type { Verdict } from './verdict.ts'

const require = createRequire(import.meta.url)

/** Longer than all the waits of an attempt together, which have bounds of their own. */
export const attemptMs = 120_000

export interface Report {
  readonly fault: FaultName
  readonly kind: Verdict['kind']
  /** What was shown how often, and what was seen the last time. */
  readonly text: string
}

/** Gives each attempt a process of its own, one after another. */
export async function reportOn(
  driver: DriverName,
  { url, names, runs }: { url: string; names: readonly FaultName[]; runs: number },
): Promise<Report[]> {
  const reports: Report[] = []
  for (const fault of names) {
    const verdicts: Verdict[] = []
    while (verdicts.length < runs) verdicts.push(await attempt(driver, fault, url))
    reports.push(summary(fault, verdicts))
  }
  return reports
}

async function attempt(driver: DriverName, fault: FaultName, url: string): Promise<Verdict> {
  const program = fileURLToPath(new URL('program.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', require.resolve('tsx'), program, driver, fault, url], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: attemptMs,
  })
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [line] = out.split('\n')
  return line ? JSON.parse(line) : { kind: 'not tried', evidence: `the process ends without a verdict: ${err}` }
}

/** Once shown is shown; and a fault is not shown only if every attempt could be made. */
function summary(fault: FaultName, verdicts: readonly Verdict[]): Report {
  const last = (kind: Verdict['kind']) => verdicts.findLast((verdict) => verdict.kind === kind)
  const telling = last('shown') ?? last('not tried') ?? last('not shown')
  if (!telling) throw new Error(`runs is ${verdicts.length}, expected at least 1`)
  const { kind, evidence } = telling
  const count = verdicts.filter((verdict) => verdict.kind === kind).length
  const text = `  ${kind.padEnd(9)} ${count} of ${verdicts.length}: ${faults[fault].title}\n            ${evidence}\n`
  return { fault, kind, text }
}
