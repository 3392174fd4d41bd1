import { is, sql } from 'drizzle-orm'
import { getTableConfig, type PgColumn, PgTable } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as schema from '../../src/postgres/schema.ts'
import { type Db, rows } from '../../src/postgres/sql.ts'
import { openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const tables = Object.values(schema).filter((value) => is(value, PgTable))

describe('the drizzle schema', () => {
  it('has every table of the migrations', async () => {
    const migrated = await rows<{ table_name: string }>(
      db,
      sql`
      select table_name
        from information_schema.tables
       where table_schema = 'public'
         and table_name not in (select inhrelid::regclass::text from pg_inherits)`,
    )

    expect(tables.map((table) => getTableConfig(table).name).sort()).toEqual(
      migrated.map((row) => row.table_name).sort(),
    )
  })

  it.each(tables.map((table) => [getTableConfig(table).name, table] as const))(
    'has the columns of %s as the migrations make them',
    async (name, table) => {
      const migrated = await rows(
        db,
        sql`
        select column_name as name,
               case data_type when 'ARRAY' then ltrim(udt_name, '_')::regtype || '[]' else data_type end as type,
               is_nullable = 'NO' as is_required,
               column_default is not null or is_identity = 'YES' as has_default,
               column_name in (select usage.column_name
                                 from information_schema.key_column_usage usage
                                 join information_schema.table_constraints using (constraint_name, table_name)
                                where constraint_type = 'PRIMARY KEY' and table_name = ${name}) as is_key
          from information_schema.columns
         where table_schema = 'public' and table_name = ${name}
         order by ordinal_position`,
      )

      expect(described(table)).toEqual(migrated)
    },
  )
})

function described(table: PgTable) {
  const { columns, primaryKeys } = getTableConfig(table)
  const keys = new Set(primaryKeys.flatMap((key) => key.columns.map((column) => column.name)))
  return columns.map((column: PgColumn) => ({
    name: column.name,
    type: column.getSQLType(),
    is_required: column.notNull,
    has_default: column.hasDefault || column.generatedIdentity !== undefined,
    is_key: column.primary || keys.has(column.name),
  }))
}
