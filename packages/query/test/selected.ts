import { compileCondition, evaluate, parseCondition, type SqlValue } from '@muster/query'
import type postgres from 'postgres'
import { columns, documentOf, recordType, type TwinRow } from './arbitrary-twin.ts'
import { numbered } from './statement.ts'

export interface Selection {
  readonly condition: string
  readonly ids: readonly string[]
}

/** What the evaluator accepts. */
export function accepted(condition: string, rows: readonly TwinRow[]): Selection {
  const where = parseCondition(condition)
  const ids = rows.filter((row) => evaluate(where, documentOf(row))).map((row) => row.device_id)
  return { condition, ids: ids.sort() }
}

/** What the SQL selects: of all conditions in one statement, over twins that are a parameter of it. */
export async function selected(
  database: postgres.Sql,
  conditions: readonly string[],
  rows: readonly TwinRow[],
): Promise<readonly Selection[]> {
  const values: SqlValue[] = [JSON.stringify(rows)]
  const selects = conditions.map((text, index) => {
    const where = numbered(compileCondition(parseCondition(text), columns).sql, values)
    return `select ${index} as index, twin.device_id from twin where ${where}`
  })
  const statement = `
    with twin as materialized (select * from jsonb_to_recordset($1::text::jsonb) as row${recordType})
    ${selects.join(' union all ')}`
  const found = await database.unsafe<{ index: number; device_id: string }[]>(statement, values as string[])
  return conditions.map((condition, index) => {
    const ids = found.filter((row) => row.index === index).map((row) => row.device_id)
    return { condition, ids: ids.sort() }
  })
}
