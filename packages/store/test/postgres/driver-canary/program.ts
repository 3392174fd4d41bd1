import { writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { type DriverName, drivers } from './drivers.ts'
import { type FaultName, faults } from './faults.ts'
import type { Verdict } from './verdict.ts'

// `program.ts DRIVER FAULT DATABASE_URL` lets the driver lose connections and prints one verdict, also when it dies of it.
const [driver, name, url = ''] = process.argv.slice(2) as [DriverName, FaultName, string]
const fault = faults[name]

process.on('uncaughtExceptionMonitor', (error, origin) => {
  const ends: readonly string[] = 'shownByEnd' in fault ? fault.shownByEnd : []
  const kind = ends.includes(origin) ? 'shown' : 'not tried'
  say({ kind, evidence: `the process ends by ${origin}: ${String(error)}` })
})
const attempt = fault.attempt({ url, open: (poolSize) => drivers[driver](url, poolSize) })
const verdict = await attempt.catch((error): Verdict => ({ kind: 'not tried', evidence: String(error) }))
// A rejection that nobody has handled ends the process before this is over.
await setImmediate()
say(verdict)
process.exit()

function say(verdict: Verdict): void {
  // At once: the process may be about to end.
  writeSync(1, `${JSON.stringify(verdict)}\n`)
}
