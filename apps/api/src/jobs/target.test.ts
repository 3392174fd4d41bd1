import { limits } from '@muster/contract'
import { parseCondition } from '@muster/query'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toTarget } from './target.ts'

const deviceId = fc.string({ unit: fc.constantFrom(..."aZ09-:.+%_#*?!(),=@;$'"), minLength: 1, maxLength: 128 })

describe('the condition that shows a list of devices', () => {
  it('selects exactly these devices while it is short enough for a condition', () => {
    fc.assert(
      fc.property(fc.uniqueArray(deviceId, { minLength: 1, maxLength: 30 }), (deviceIds) => {
        const { queryCondition } = toTarget(deviceIds)

        const membership = parseCondition(queryCondition)
        expect(membership).toMatchObject({ kind: 'membership', values: new Set(deviceIds) })
      }),
    )
  })

  it('is otherwise within the limit, and counts what it leaves out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1000, max: 3000 }), fc.integer({ min: 10, max: 128 }), (count, length) => {
        // Not by uniqueArray: of tiny ids there are too few, and a list that is too short fails and shrinks for minutes.
        const deviceIds = Array.from({ length: count }, (_, index) => `${index}'`.padEnd(length, "a'"))
        const { queryCondition } = toTarget(deviceIds)

        const [, shown = '', hidden] = /^(.*), and (\d+) more\]$/s.exec(queryCondition) ?? []
        const whole = parseCondition(`${shown}]`)
        expect(queryCondition.length).toBeLessThanOrEqual(limits.queryLength)
        expect(whole).toMatchObject({ values: new Set(deviceIds.slice(0, deviceIds.length - Number(hidden))) })
      }),
      { numRuns: 20 },
    )
  })
})
