import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatConnectionString, parseConnectionString } from './connection-string.ts'

const key = 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='

describe('a connection string', () => {
  it('of a service is read and written back unchanged', () => {
    const text = `HostName=localhost;SharedAccessKeyName=iothubowner;SharedAccessKey=${key}`

    expect(parseConnectionString(text)).toEqual({
      hostName: 'localhost',
      sharedAccessKeyName: 'iothubowner',
      sharedAccessKey: key,
    })
    expect(formatConnectionString(parseConnectionString(text))).toBe(text)
  })

  it('of a device behind a gateway is read with its members in any order and a last semicolon', () => {
    expect(
      parseConnectionString(`GatewayHostName=localhost:8884;SharedAccessKey=${key};DeviceId=d=1;HostName=myhub;\n`),
    ).toEqual({ hostName: 'myhub', deviceId: 'd=1', sharedAccessKey: key, gatewayHostName: 'localhost:8884' })
  })

  it('survives formatting and parsing whatever its values are', () => {
    const value = fc.string({ minLength: 1 }).filter((text) => !text.includes(';') && text === text.trim())

    fc.assert(
      fc.property(fc.record({ hostName: value, deviceId: value, moduleId: value }), (connectionString) => {
        expect(parseConnectionString(formatConnectionString(connectionString))).toEqual(connectionString)
      }),
    )
  })

  it('cannot be written with a value that holds a semicolon', () => {
    expect(() => formatConnectionString({ hostName: 'localhost', deviceId: 'a;b' })).toThrow(/DeviceId.*";"/)
  })

  it.each([
    ['', /Member 1 .* is none of HostName/],
    [`SharedAccessKey=${key}`, /no HostName/],
    [`HostName=h;SharedAccessKey=${key};SharedAccessKey=${key}`, /SharedAccessKey twice/],
    ['HostName=h;SharedAccessKey=', /SharedAccessKey .* is empty/],
    ['HostName=h;SharedAccessKey=not base64', /SharedAccessKey .* is not base64/],
    ['HostName=h;SharedAccesKey=c2VjcmV0', /Member 2 .* is none of/],
    [key, /Member 1 .* is none of/],
  ])('"%s" is refused with the member at fault', (text, complaint) => {
    expect(() => parseConnectionString(text)).toThrow(complaint)
  })

  it('never shows a value in its complaints', () => {
    const secret = fc.uint8Array({ minLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64'))
    const around = fc.constantFrom(
      (text: string) => text,
      (text: string) => `HostName=h;${text}`,
      (text: string) => `HostName=h;SharedAccessKey=${text};SharedAccessKey=${text}`,
      (text: string) => `HostName=h;SharedAccessKey=*${text}`,
      (text: string) => `SharedAccessKey=${text}`,
    )

    fc.assert(
      fc.property(secret, around, (text, wrap) => {
        expect(complaintOn(wrap(text))).not.toContain(text.replace(/=+$/, ''))
      }),
    )
  })
})

function complaintOn(text: string): string {
  try {
    parseConnectionString(text)
  } catch (error) {
    if (error instanceof TypeError) return error.message
    throw error
  }
  throw new Error('no complaint')
}
