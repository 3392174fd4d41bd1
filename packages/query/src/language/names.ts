/** The functions of the language. What each does is in the table of functions, which has an entry for every name. */
export const functionNames = [
  'IS_DEFINED',
  'STARTSWITH',
  'ENDSWITH',
  'IS_NULL',
  'IS_NUMBER',
  'IS_STRING',
  'IS_BOOL',
  'IS_ARRAY',
  'IS_OBJECT',
  'IS_PRIMITIVE',
] as const
export type FunctionName = (typeof functionNames)[number]

/** The aggregates of the language. What each does is in the table of aggregates, which has an entry for every name. */
export const aggregateNames = ['COUNT', 'SUM', 'AVG', 'MIN', 'MAX'] as const
export type AggregateName = (typeof aggregateNames)[number]

/** Names match in any letter case. */
export function functionNamed(text: string): FunctionName | undefined {
  return named(functionNames, text)
}

/** Names match in any letter case. */
export function aggregateNamed(text: string): AggregateName | undefined {
  return named(aggregateNames, text)
}

function named<Name extends string>(names: readonly Name[], text: string): Name | undefined {
  return names.find((name) => name === text.toUpperCase())
}
