import { limits } from '@muster/contract'
import type { Expression, Query } from '../language/ast.ts'
import { check } from './check.ts'
import { faultAt, type QueryText } from './errors.ts'
import { requireKnownRoots } from './known-roots.ts'
import { parseConditionText, parseQueryText } from './parser.ts'
import { selectionOf } from './selection.ts'

/**
 * Reads `SELECT [TOP n] list FROM source [[AS] alias] [WHERE condition] [GROUP BY path, ...]`.
 * @throws QueryError, also for a text longer than `limits.queryLength`
 */
export function parseQuery(text: string): Query {
  const input = { text, leadColumns: 0 }
  refuseLongText(input)
  const written = parseQueryText(input)
  const { source, alias, top, where } = written
  const context = { source, alias, input }
  return { source, select: selectionOf(written, context), top, where: where && check(where, context) }
}

/** Errors count these words before the condition of a job, and so does its length. */
const conditionLead = 'SELECT * FROM devices WHERE '

/**
 * Reads a job's condition: what may stand after `SELECT * FROM devices WHERE `. `*` alone, which is every device, is null.
 * @throws QueryError, also for a text that with those words is longer than `limits.queryLength`
 */
export function parseCondition(text: string): Expression | null {
  return readCondition(text).where
}

/** The same for a job that is not yet created. Members that no twin has are errors, too. */
export function parseNewCondition(text: string): Expression | null {
  const { where, input } = readCondition(text)
  if (where !== null) requireKnownRoots(where, input)
  return where
}

function readCondition(text: string): { readonly where: Expression | null; readonly input: QueryText } {
  const input = { text, leadColumns: conditionLead.length }
  refuseLongText(input)
  const where = parseConditionText(input)
  return { where: where && check(where, { source: 'devices', alias: null, input }), input }
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
