import type { Truth, Value } from './values.ts'

type Unary = { readonly true: Truth; readonly false: Truth; readonly undefined: Truth }
type Binary = { readonly true: Unary; readonly false: Unary; readonly undefined: Unary }

/**
 * The truth tables of the language, read as table[left][right]. SQL's own AND, OR and NOT are the same tables with NULL in
 * the place of undefined: the compiler uses them, and the differential test compares them with these cell by cell.
 */
export const truthTable: { readonly and: Binary; readonly or: Binary; readonly not: Unary } = {
  and: {
    true: { true: true, false: false, undefined: undefined },
    false: { true: false, false: false, undefined: false },
    undefined: { true: undefined, false: false, undefined: undefined },
  },
  or: {
    true: { true: true, false: true, undefined: true },
    false: { true: true, false: false, undefined: undefined },
    undefined: { true: true, false: undefined, undefined: undefined },
  },
  not: { true: false, false: true, undefined: undefined },
}

/** How a value counts where a truth is wanted: whatever is no boolean counts as false. */
export function truthOf(value: Value): Truth {
  return value === undefined ? undefined : value === true
}

export function not(truth: Truth): Truth {
  return truthTable.not[`${truth}`]
}

/** Joins the truths of all operands with AND or OR. */
export function connect(connective: 'and' | 'or', truths: readonly Truth[]): Truth {
  return truths.reduce((left, right) => truthTable[connective][`${left}`][`${right}`])
}
