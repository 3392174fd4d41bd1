import { describe, expect, it } from 'vitest'
import type { Column, Columns } from '../operands/columns.ts'
import type { SqlFragment } from '../operands/fragment.ts'
import { parseQuery } from '../syntax/parse.ts'
import { compileGrouping } from './grouping.ts'

const columns: Columns = new Map<string, Column>([
  ['deviceId', { kind: 'text', sql: 't.device_id' }],
  ['statusReason', { kind: 'text', sql: 'd.reason', undefinedWhenNull: true }],
  ['lastActivityTime', { kind: 'instant', sql: 's.active_at' }],
  ['tags', { kind: 'json', sql: 't.tags', undefinedWhenEmpty: true }],
  ['properties.desired', { kind: 'json', sql: 't.desired' }],
  ['properties.desired.$version', { kind: 'number', sql: 't.desired_version' }],
  ['properties.reported', { kind: 'json', sql: 't.reported' }],
])

function compiled(query: string) {
  const { select } = parseQuery(query)
  if (select.kind !== 'grouping') throw new Error(`no grouping: ${query}`)
  return compileGrouping(select, columns)
}

function written({ strings, values }: SqlFragment): string {
  return strings.reduce((text, part, index) => `${text}<${values[index - 1]}>${part}`)
}

describe('Q18 the SQL of groups', () => {
  it('reads each member once and groups by plain values', () => {
    const { row, groupBy, roots } = compiled(
      'SELECT tags.a, SUM(tags.b) AS s, AVG(tags.b) AS v, COUNT(), COUNT(deviceId) AS c FROM devices GROUP BY tags.a',
    )
    expect(written(row)).toBe(
      "(t.tags -> <a>::text) as key0, (t.tags -> <b>::text) as value0, coalesce(to_jsonb(t.device_id), 'null'::jsonb) as value1",
    )
    expect(groupBy && written(groupBy)).toBe('key0')
    expect([...roots]).toEqual(['tags', 'deviceId'])
  })

  it('counts rows without reading any', () => {
    const { row, groupBy, group, roots } = compiled('SELECT COUNT() FROM devices')
    expect([written(row), groupBy, [...roots]]).toEqual(['', null, []])
    expect(written(group)).toBe('jsonb_build_array() as key, jsonb_build_array(to_jsonb(count(*))) as values')
  })

  it('puts an object together from the columns of its members', () => {
    const { row, roots } = compiled('SELECT COUNT() FROM devices GROUP BY properties.desired')
    const version = "coalesce(to_jsonb(t.desired_version), 'null'::jsonb)"
    expect(written(row)).toBe(
      `((t.desired) || case when ${version} is null then '{}' else jsonb_build_object(<$version>::text, ${version}) end) as key0`,
    )
    expect([...roots]).toEqual(['properties.desired', 'properties.desired.$version'])
    expect([...compiled('SELECT COUNT() FROM devices GROUP BY properties').roots]).toEqual([
      'properties.desired',
      'properties.desired.$version',
      'properties.reported',
    ])
  })

  it('Q26 is paged by the key, or by a digest where its text is long', () => {
    expect(written(compiled('SELECT COUNT() FROM devices GROUP BY tags').place)).toBe(
      "case when octet_length(key::text) <= 512 then key else to_jsonb(encode(sha256(convert_to(key::text, 'UTF8')), 'hex')) end",
    )
  })

  it('Q17 holds no text of the caller', () => {
    const { row, group, groupBy } = compiled(
      "SELECT tags['QQ'] AS QQ, MAX(tags.QQ.QQ) AS QQ2, COUNT(QQ) FROM devices GROUP BY tags['QQ'], tags.QQ[0], QQ",
    )
    expect([row, group, groupBy].flatMap((fragment) => fragment?.strings).join()).not.toContain('QQ')
  })
})
