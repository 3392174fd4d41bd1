import type { Environment } from '../environment.ts'
import type { Fault } from '../files/entry.ts'
import type { HubState } from '../files/state-file.ts'
import type { View } from '../output/format.ts'
import { withoutControls } from '../plain-text.ts'
import type { ImportReport } from './import-entries.ts'
import type { ParentReport } from './parents.ts'

export const reportView: View<ImportReport> = {
  nameOf: ({ created }) => String(created),
  columns: [
    { head: 'DEVICES', of: ({ devices }) => devices },
    { head: 'MODULES', of: ({ modules }) => modules },
    { head: 'CREATED', of: ({ created }) => created },
    { head: 'SAME', of: ({ same }) => same },
    { head: 'DIFFERENT', of: ({ differentCount }) => differentCount },
    { head: 'REFUSED', of: ({ refusedCount }) => refusedCount },
    { head: 'FAULTS', of: ({ faultCount }) => faultCount },
  ],
}

/** What became of the state of another hub. */
interface StateReport extends ImportReport {
  readonly parents: ParentReport
  readonly notTaken: HubState['notTaken']
}

export const stateView: View<StateReport> = {
  nameOf: ({ created }) => String(created),
  columns: [
    ...reportView.columns,
    { head: 'UNDER PARENTS', of: ({ parents }) => parents.placed },
    { head: 'NOT TAKEN', of: ({ notTaken }) => notTaken.reduce((sum, { count }) => sum + count, 0) },
  ],
}

/** Names on standard error what did not go as the file says. */
export function tellProblems(report: ImportReport, environment: Environment): void {
  const different = report.different.map(({ identity, place, members }) => ({
    place,
    complaint: `${identity} exists already, with another ${members.join(', ')}; it stays as it is`,
  }))
  tellFaults(report.faults, report.faultCount, environment)
  tellFaults(report.refused, report.refusedCount, environment)
  tellFaults(different, report.differentCount, environment)
}

export function tellFaults(faults: readonly Fault[], count: number, { stderr }: Environment): void {
  for (const { place, complaint } of faults) stderr.write(`${withoutControls(`${place}: ${complaint}`)}\n`)
  if (count > faults.length) stderr.write(`... and ${count - faults.length} more\n`)
}
