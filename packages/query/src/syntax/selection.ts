import type { Expression, GroupItem, Grouping, Path, Selection } from '../language/ast.ts'
import { pathText } from '../language/members.ts'
import { type Context, check, checkPath } from './check.ts'
import { type Fault, faultAt, quote } from './errors.ts'
import type { WrittenQuery } from './parser.ts'
import { maxItems, type WrittenAggregate, type WrittenItem } from './select-list.ts'

/**
 * The form of the rows of a query. Checks that the select list and GROUP BY fit together and fit the source, and that no two items
 * have the same name.
 * @throws QueryError
 */
export function selectionOf({ items, groupBy }: WrittenQuery, context: Context): Selection {
  const { source, input } = context
  if (items === null) {
    if (groupBy === null) return { kind: 'documents' }
    const hint =
      source === 'devices.jobs' ? jobsAreWhole : '* is whole documents: select aggregates and the members of GROUP BY.'
    throw faultAt(input, groupBy.at, { found: quote('GROUP BY'), expected: 'the end of the query', hint })
  }
  const [first] = items
  if (source === 'devices.jobs' && first !== undefined) {
    throw faultOf(first, { expected: '*', hint: jobsAreWhole }, context)
  }
  const named = items.map((item, index) => nameItem(item, index, context))
  refuseEqualNames(named, context)
  const plain = named.flatMap(({ name, value }) => (value.kind === 'aggregate' ? [] : [{ name, expression: value }]))
  if (groupBy === null && plain.length === named.length) return { kind: 'projection', items: plain }

  const keys = (groupBy?.keys ?? []).map((key) => checkPath(key, context))
  if (groupBy !== null && named.length + keys.length > maxItems) {
    const found = `${named.length} items and ${keys.length} members of GROUP BY`
    throw faultAt(input, groupBy.at, { found, expected: `at most ${maxItems} in all` })
  }
  return groupingOf(named, keys, context)
}

const jobsAreWhole = 'Rows of devices.jobs come whole and are not counted; WHERE selects among them.'

interface NamedItem extends WrittenItem {
  readonly name: string
}

/** The item with its members checked, and its name in a row: the last name of a path, else its place in the list. */
function nameItem(item: WrittenItem, index: number, context: Context): NamedItem {
  const value = checkValue(item.value, context)
  const last = value.kind === 'path' ? [value.root, ...value.steps].at(-1) : undefined
  return { ...item, value, name: item.name ?? (typeof last === 'string' ? last : `$${index + 1}`) }
}

function checkValue(value: WrittenItem['value'], context: Context): Expression | WrittenAggregate {
  if (value.kind !== 'aggregate') return check(value, context)
  return { ...value, operand: value.operand && checkPath(value.operand, context) }
}

function refuseEqualNames(items: readonly NamedItem[], context: Context): void {
  const names = items.map(({ name }) => name)
  const second = items.find(({ name }, index) => names.indexOf(name) < index)
  if (second === undefined) return
  const hint = `Two items are called ${quote(second.name)}: give one another name with AS.`
  throw faultOf(second, { expected: 'an item with a name of its own', hint }, context)
}

function groupingOf(items: readonly NamedItem[], keys: readonly Path[], context: Context): Grouping {
  const places = keys.map(pathText)
  const groupItems = items.map((item): GroupItem => {
    const { name, value } = item
    if (value.kind === 'aggregate') return { ...value, name }
    const key = value.kind === 'path' ? places.indexOf(pathText(value)) : -1
    if (key >= 0) return { kind: 'key', name, key }
    const hint = 'With an aggregate or GROUP BY, every other item is one of the members of GROUP BY.'
    throw faultOf(item, { expected: 'an aggregate or a member of GROUP BY', hint }, context)
  })
  return { kind: 'grouping', keys, items: groupItems }
}

function faultOf({ at, end }: WrittenItem, fault: Omit<Fault, 'found'>, { input }: Context): Error {
  return faultAt(input, at, { found: quote(input.text.slice(at, end).trim()), ...fault })
}
