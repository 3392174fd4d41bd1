export { evaluate } from './evaluation/evaluate.ts'
export { aggregate, groupRow, project } from './evaluation/rows.ts'
export { aggregates } from './functions/aggregates.ts'
export { functions } from './functions/functions.ts'
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
} from './language/ast.ts'
export type { AggregateName, FunctionName } from './language/names.ts'
export { truthTable } from './language/truth.ts'
export type { Truth } from './language/values.ts'
export type { Column, Columns, JsonColumn } from './operands/columns.ts'
export type { SqlFragment, SqlValue } from './operands/fragment.ts'
export { type CompiledGrouping, compileGrouping } from './sql/grouping.ts'
export { type CompiledCondition, compileCondition } from './sql/sql.ts'
export { maxNesting } from './syntax/cursor.ts'
export { QueryError } from './syntax/errors.ts'
export { parseCondition, parseNewCondition, parseQuery } from './syntax/parse.ts'
