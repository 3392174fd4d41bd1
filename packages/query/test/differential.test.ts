import { parseCondition } from '@muster/query'
import fc from 'fast-check'
import postgres from 'postgres'
import { afterAll, expect, inject, it } from 'vitest'
import { languageOver } from './arbitrary-condition.ts'
import { documentOf, twins } from './arbitrary-twin.ts'
import { openCoverage } from './coverage.ts'
import { accepted, selected } from './selected.ts'

const cases = Number(process.env.MUSTER_TEST_DIFFERENTIAL_CASES) || 20_000
const conditionsPerStatement = 40

const database = postgres(inject('databaseUrl'), { max: 1, onnotice: () => {} })
afterAll(() => database.end())

it('Q16 the SQL of a random condition selects exactly the twins that the evaluator accepts', async () => {
  let [telling, all] = [0, 0]
  const coverage = openCoverage()
  const property = fc.asyncProperty(twinsWithConditions, async ([rows, conditions]) => {
    const expected = conditions.map((condition) => accepted(condition, rows))
    expect(await selected(database, conditions, rows)).toEqual(expected)

    const documents = rows.map(documentOf)
    for (const condition of conditions) coverage.add(condition, parseCondition(condition), documents)
    telling += expected.filter(({ ids }) => ids.length > 0 && ids.length < rows.length).length
    all += expected.length
  })
  while (all < cases) await fc.assert(property, { numRuns: Math.ceil((cases - all) / conditionsPerStatement) })

  const share = telling / all
  const met = Object.entries(coverage.shares()).map(([kind, percent]) => `${kind} ${percent} %`)
  process.stdout.write(
    `${all} random conditions, of which ${Math.floor(share * 100)} % select neither none nor all of their twins; ${met.join(', ')}\n`,
  )
  expect(share).toBeGreaterThan(0.4)
  expect(Math.min(...Object.values(coverage.shares()))).toBeGreaterThan(0)
}, 3_600_000)

const twinsWithConditions = twins.chain((rows) =>
  fc.tuple(
    fc.constant(rows),
    fc.array(languageOver(rows.map(documentOf)).condition, {
      minLength: 1,
      maxLength: conditionsPerStatement,
      size: 'max',
    }),
  ),
)
