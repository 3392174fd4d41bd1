import { limits } from '@muster/contract'
import type { Expression, Query } from './ast.ts'
import { check } from './check.ts'
import { faultAt, type QueryText } from './errors.ts'
import { parseConditionText, parseQueryText } from './parser.ts'

/**
 * Reads `SELECT * FROM devices|devices.jobs [WHERE condition]`.
 * @throws QueryError, also for a text longer than `limits.queryLength`
 */
export function parseQuery(text: string): Query {
  const input = { text, leadColumns: 0 }
  refuseLongText(input)
  const { source, where } = parseQueryText(input)
  return { source, where: where && check(where, source, input) }
}

/** A job's condition is reported on as if it stood behind these words, and is as much shorter. */
const conditionLead = 'SELECT * FROM devices WHERE '

/**
 * Reads a job's condition: what may stand after `SELECT * FROM devices WHERE `. `*` alone, which is every device, is null.
 * @throws QueryError, also for a text that with those words is longer than `limits.queryLength`
 */
export function parseCondition(text: string): Expression | null {
  const input = { text, leadColumns: conditionLead.length }
  refuseLongText(input)
  const where = parseConditionText(input)
  return where && check(where, 'devices', input)
}

function refuseLongText(input: QueryText): void {
  const longest = limits.queryLength - input.leadColumns
  if (input.text.length <= longest) return
  throw faultAt(input, longest, {
    found: `${input.text.length} characters`,
    expected: `at most ${longest}`,
    hint: input.leadColumns > 0 ? 'A long list of devices goes into deviceIds.' : undefined,
  })
}
