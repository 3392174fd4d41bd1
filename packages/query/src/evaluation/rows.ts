import { isJsonObject, type Json, type JsonObject } from '@muster/contract'
import { aggregates } from '../functions/aggregates.ts'
import type { GroupAggregate, Grouping, Projection } from '../language/ast.ts'
import type { Value } from '../language/values.ts'
import { valueIn } from './evaluate.ts'

/** The row of a document, which is as the wire shows it. An undefined item is left out. */
export function project({ items }: Projection, document: Json): JsonObject {
  return rowOf(items.map(({ name, expression }) => [name, valueIn(expression, document)]))
}

/** The row of a group, from the columns `key` and `values` of the statement that `compileGrouping` is for. */
export function groupRow(grouping: Grouping, key: readonly (readonly Json[])[], values: readonly Json[]): JsonObject {
  const results = aggregatesOf(grouping).map(({ aggregate }, index) =>
    aggregates[aggregate].read(values[index] ?? null),
  )
  return rowOfGroup(grouping, { key: key.map(([value]) => value), results })
}

/**
 * The rows of all groups of the documents, in no order. This is the meaning of GROUP BY and the aggregates in readable code. The SQL
 * of `compileGrouping`, with `groupRow`, must make the same rows.
 */
export function aggregate(grouping: Grouping, documents: readonly Json[]): readonly JsonObject[] {
  return groupsOf(grouping, documents).map(({ key, members }) => {
    const results = aggregatesOf(grouping).map(({ aggregate, operand }) =>
      aggregates[aggregate].evaluate(
        operand === null ? members : members.map((member) => valueIn(operand, member)).filter(isDefined),
      ),
    )
    return rowOfGroup(grouping, { key, results })
  })
}

interface Group {
  readonly key: readonly Value[]
  readonly members: Json[]
}

/** Without keys there is one group, also when there are no documents. */
function groupsOf({ keys }: Grouping, documents: readonly Json[]): readonly Group[] {
  if (keys.length === 0) return [{ key: [], members: [...documents] }]
  const groups = new Map<string, Group>()
  for (const document of documents) {
    const key = keys.map((path) => valueIn(path, document))
    const identity = JSON.stringify(key.map((value) => (value === undefined ? [] : [sorted(value)])))
    const group = groups.get(identity) ?? { key, members: [] }
    group.members.push(document)
    groups.set(identity, group)
  }
  return [...groups.values()]
}

/** Objects are equal whatever the order of their members. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isJsonObject(value)) return value
  const members = Object.keys(value).sort()
  return Object.fromEntries(members.map((name) => [name, sorted(value[name] ?? null)]))
}

interface GroupValues {
  readonly key: readonly Value[]
  /** Of the aggregates, in the order of the items. */
  readonly results: readonly Value[]
}

function rowOfGroup(grouping: Grouping, { key, results }: GroupValues): JsonObject {
  const places = new Map(aggregatesOf(grouping).map((item, index) => [item, index]))
  return rowOf(
    grouping.items.map((item) => [item.name, item.kind === 'key' ? key[item.key] : results[places.get(item) ?? -1]]),
  )
}

/** Own members under any name, also `__proto__`. */
function rowOf(members: readonly (readonly [string, Value])[]): JsonObject {
  return Object.fromEntries(members.filter((member): member is readonly [string, Json] => isDefined(member[1])))
}

function isDefined(value: Value): value is Json {
  return value !== undefined
}

function aggregatesOf({ items }: Grouping): readonly GroupAggregate[] {
  return items.filter((item) => item.kind === 'aggregate')
}
