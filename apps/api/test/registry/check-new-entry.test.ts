import { checkNewEntry, HubError, isJsonObject, limits, numbersIn } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  await api.send('POST', '/devices', [{ id: 'owner', importMode: 'create' }])
})
afterAll(async () => api[Symbol.asyncDispose]())

const scope = 'ms-azure-iot-edge://parent-638000000000000000'
const thumbprint = 'a'.repeat(40)

/** Texts, because the rules of numbers look at how they are written. */
const entries: readonly string[] = [
  '{"id":"good"}',
  '{"Id":"pascal","Tags":{"floor":3},"Properties":{"Desired":{"mode":"eco"}}}',
  '{"id":"disabled","status":"Disabled","statusReason":"in stock"}',
  '{"id":"keys","authentication":{"symmetricKey":{"primaryKey":"b25l","secondaryKey":"dHdv"}}}',
  `{"id":"x509","authentication":{"type":"selfSigned","x509Thumbprint":{"primaryThumbprint":"${thumbprint}"}}}`,
  `{"id":"child","deviceScope":"${scope}"}`,
  '{"id":"owner","moduleId":"module-a","managedBy":"me"}',
  '{"id":"double","properties":{"desired":{"a":1e20}}}',
  '{"id":""}',
  '{"id":"two words"}',
  '{"id":7}',
  '{"tags":{}}',
  '[]',
  '"text"',
  '{"id":"wrong-status","status":"asleep"}',
  `{"id":"wrong-reason","statusReason":"${'r'.repeat(129)}"}`,
  '{"id":"wrong-key","authentication":{"type":"sas","symmetricKey":{"primaryKey":"%%"}}}',
  '{"id":"wrong-type","authentication":{"type":"password"}}',
  '{"id":"no-thumbprint","authentication":{"type":"selfSigned"}}',
  '{"id":"wrong-thumbprint","authentication":{"x509Thumbprint":{"primaryThumbprint":"abc"}}}',
  '{"id":"wrong-scope","deviceScope":"parent"}',
  '{"id":"wrong-tags","tags":[1]}',
  '{"id":"wrong-key-of-tags","tags":{"a.b":1}}',
  `{"id":"large-tags","tags":{${Array.from({ length: 3 }, (_, no) => `"t${no}":"${'x'.repeat(limits.propertyValueBytes)}"`).join()}}}`,
  '{"id":"large-integer","properties":{"desired":{"a":9007199254740993}}}',
  '{"id":"misplaced","properties":{"interval":5}}',
  '{"id":"owner","moduleId":"wrong module"}',
]

describe('the check of a new entry before it is sent', () => {
  it.each(entries)('says what the hub answers for %s', async (text) => {
    const body = JSON.parse(text)
    const isObject = isJsonObject(body)
    const sent = isObject ? `{"importMode":"create",${text.slice(1)}` : text
    const parsed = JSON.parse(sent)

    const checked = complaintOf(() => checkNewEntry(parsed, numbersIn(sent, parsed)))
    const { status, body: answer } = await api.send('POST', '/devices', undefined, { text: `[${sent}]` })

    const errors: { errorCode: string; errorStatus: string }[] = answer.errors ?? []
    expect(errors.map(({ errorCode, errorStatus }) => `${errorCode}: ${errorStatus}`)).toEqual(checked)
    expect(status).toBe(checked.length === 0 ? 200 : 400)
  })

  it('refuses other changes than a creation', () => {
    expect(complaintOf(() => checkNewEntry({ id: 'a', importMode: 'delete' }))).toEqual([
      'ArgumentInvalid: importMode must be create, or left out, got "delete"',
    ])
  })
})

function complaintOf(check: () => unknown): string[] {
  try {
    check()
    return []
  } catch (error) {
    if (error instanceof HubError) return [`${error.code}: ${error.message}`]
    throw error
  }
}
