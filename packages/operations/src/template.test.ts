// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so the parameters of a job are written
import { type Json, type JsonObject, jsonText, parsedText } from '@muster/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Parameter, parametersIn, resolveJson, resolveMembers } from './template.ts'

const values: Readonly<Record<string, Json>> = {
  deviceId: 'pump-1',
  'tags.floor': 3,
  'tags.site.name': 'Ulm "north"',
  'tags.site': { name: 'Ulm', lines: [1, 2] },
  'reported.isOn': true,
  'reported.big': 1e300,
  'tags.none': null,
}

function lookUp({ name }: Parameter): Json {
  const value = values[name]
  if (value === undefined) throw new Error(`there is no ${name}`)
  return value
}

describe('R96 R97 a text with parameters', () => {
  it.each<[string, Json]>([
    ['no parameter', 'no parameter'],
    ['', ''],
    ['${deviceId}', 'pump-1'],
    ['${tags.floor}', 3],
    ['${reported.isOn}', true],
    ['${tags.site}', { name: 'Ulm', lines: [1, 2] }],
    ['${tags.none}', null],
    ['floor ${tags.floor}', 'floor 3'],
    ['${tags.floor}${tags.floor}', '33'],
    ['${deviceId} is ${reported.isOn} at ${tags.site.name}', 'pump-1 is true at Ulm "north"'],
    ['all of ${tags.site}', 'all of {"name":"Ulm","lines":[1,2]}'],
    ['<${tags.none}>', '<null>'],
    ['$${deviceId}', '${deviceId}'],
    ['$$${deviceId}', '$${deviceId}'],
    ['costs $5 {or} $', 'costs $5 {or} $'],
    ['$${${deviceId}}', '${pump-1}'],
  ])('%j becomes %j', (text, resolved) => {
    expect(resolveMembers({ a: { b: [text] } }, lookUp)).toEqual({ a: { b: [resolved] } })
    expect(JSON.parse(resolveJson(jsonText({ a: { b: [text] } }), lookUp))).toEqual({ a: { b: [resolved] } })
    expect(JSON.parse(resolveJson(jsonText(text), lookUp))).toEqual(resolved)
  })

  it.each([
    '${}',
    '${device}',
    '${DeviceId}',
    '${deviceId.x}',
    '${tags}',
    '${tags.}',
    '${tags..a}',
    '${tags.a b}',
    '${reported}',
    '${desired.a}',
    '${properties.reported.a}',
    '${tags.a',
    'x ${',
    '${ deviceId}',
  ])('R96 %j names nothing, and is refused', (text) => {
    expect(() => parametersIn({ deep: [text] }, 'updateTwin')).toThrow(/^updateTwin: ".*" names nothing; expected/)
  })

  it('R96 names of members are no texts, and numbers stay as they were written', () => {
    const json = parsedText('{ "${deviceId}" : "${deviceId}", "n": [1.0, 12345678901234567890, 1e2], "\\"${x}": 1 }')

    expect(parametersIn(JSON.parse(json), 'payload')).toEqual([{ name: 'deviceId', path: null }])
    expect(resolveJson(json, lookUp)).toBe(
      '{ "${deviceId}" : "pump-1", "n": [1.0, 12345678901234567890, 1e2], "\\"${x}": 1 }',
    )
  })

  it('R97 a double stays a double', () => {
    expect(resolveJson(jsonText('${reported.big}'), lookUp)).toBe('1e+300')
  })

  it('R96 tells each parameter once, with its place in the twin', () => {
    const members: JsonObject = { a: '${tags.a.b} ${reported.c}', d: ['${tags.a.b}', '$${tags.x}'] }

    expect(parametersIn(members, 'updateTwin')).toEqual([
      { name: 'tags.a.b', path: { section: 'tags', steps: ['a', 'b'] } },
      { name: 'reported.c', path: { section: 'reported', steps: ['c'] } },
    ])
  })

  it('R96 fifty different parameters are the most', () => {
    const of = (count: number) => Array.from({ length: count }, (_, no) => `\${tags.t${no}}`)

    expect(parametersIn(of(50), 'updateTwin')).toHaveLength(50)
    expect(() => parametersIn(of(51), 'updateTwin')).toThrow('updateTwin has 51 different parameters; at most 50')
  })

  it('R97 whatever a value is, it is data: it ends in the text as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (value, around) => {
        const text = `${around.replaceAll('$', '')}\${tags.a}"`

        const resolved = resolveJson(jsonText({ text }), () => value)

        expect(JSON.parse(resolved)).toEqual({ text: `${around.replaceAll('$', '')}${value}"` })
      }),
    )
  })
})
