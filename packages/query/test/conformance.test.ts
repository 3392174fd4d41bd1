import { evaluate, parseCondition, QueryError } from '@muster/query'
import { queryCases, queryFleet, refusedCases, wholeFleet } from '@muster/testkit'
import { describe, expect, it } from 'vitest'

describe('Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q11 Q12 the evaluator selects of a fleet', () => {
  for (const { point, condition, selects } of [wholeFleet, ...queryCases]) {
    it(`${point}: ${condition}`, () => {
      const where = parseCondition(condition)

      const selected = queryFleet.filter((twin) => evaluate(where, twin)).map(({ deviceId }) => deviceId)

      expect(selected).toEqual(selects)
    })
  }
})

describe('Q14 the parser refuses', () => {
  for (const { point, condition, column } of refusedCases) {
    it(`${point}: ${condition}`, () => {
      const error = expect.objectContaining({ constructor: QueryError, line: 1, column })

      expect(() => parseCondition(condition)).toThrow(error)
    })
  }
})
