import { compileCondition, parseCondition } from '@muster/query'
import { deviceColumns } from '@muster/store'
import { figure, printHead } from './figures.ts'

const condition =
  "tags.building = 43 AND tags.floor IN [1, 2, 3] AND properties.reported.battery < 20 AND connectionState = 'Connected'"
const asJson =
  '{"tags": {"building": 43, "floor": [1, 2, 3]}, "properties": {"reported": {"battery": 20}}, "state": "Connected"}'

/** From the text of a condition to its SQL, warm; beside it Node's own parser on a text as long. */
export async function benchCompile(): Promise<void> {
  printHead(`compiling a condition of ${condition.length} characters`)
  const runs = { runs: 15, repetitions: 10_000 }
  const json = asJson.padEnd(condition.length)
  const baseline = { name: 'JSON.parse', work: () => JSON.parse(json) }
  await figure('JSON.parse of as many characters', runs, baseline.work)
  await figure('parseCondition and compileCondition', { ...runs, baseline, barMs: 0.05 }, () =>
    compileCondition(parseCondition(condition), deviceColumns),
  )
}
