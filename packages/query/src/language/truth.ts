import type { Truth, Value } from './values.ts'

type Unary = { readonly true: Truth; readonly false: Truth; readonly undefined: Truth }
type Binary = { readonly true: Unary; readonly false: Unary; readonly undefined: Unary }

/**
 * The truth tables of the language, read as table[left][right]. AND, OR and NOT of SQL are the same, with NULL for
 * undefined. The compiler uses those of SQL, and the differential test compares both cell by cell.
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

/** The truth value of a value. A value that is no boolean counts as false. */
export function truthOf(value: Value): Truth {
  return value === undefined ? undefined : value === true
}

export function not(truth: Truth): Truth {
  return truthTable.not[`${truth}`]
}

/** Joins the truth values of all operands with AND or OR. */
export function connect(connective: 'and' | 'or', truths: readonly Truth[]): Truth {
  return truths.reduce((left, right) => truthTable[connective][`${left}`][`${right}`])
}
