export { type AggregateName, aggregates } from './aggregates.ts'
export type {
  Expression,
  GroupItem,
  Grouping,
  Item,
  Path,
  Projection,
  Query,
  Selection,
  Source,
  Step,
} from './ast.ts'
export type { Column, Columns, JsonColumn } from './columns.ts'
export { maxNesting } from './cursor.ts'
export { QueryError } from './errors.ts'
export { evaluate } from './evaluate.ts'
export type { SqlFragment, SqlValue } from './fragment.ts'
export { type FunctionName, functions } from './functions.ts'
export { type CompiledGrouping, compileGrouping } from './grouping.ts'
export { parseCondition, parseQuery } from './parse.ts'
export { aggregate, groupRow, project } from './rows.ts'
export { type CompiledCondition, compileCondition } from './sql.ts'
export { type Truth, truthTable } from './truth.ts'
