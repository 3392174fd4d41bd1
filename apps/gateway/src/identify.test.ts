import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { identify } from './identify.ts'

const hostNames = ['hub.example', 'localhost']

describe('the identity of a CONNECT', () => {
  it('G1 is read from every form of user name that devices send', () => {
    for (const userName of [
      'hub.example/d1/?api-version=2021-04-12&DeviceClientType=azure-iot-device%2F1.18.4',
      'hub.example/d1/?api-version=2021-04-12&model-id=dtmi:a/b',
      'HUB.example/d1/',
      'localhost:8884/d1',
      'hub.example/d1/api-version=2016-11-14',
    ]) {
      expect(identify({ clientId: 'd1', userName }, hostNames)).toEqual({ identity: 'd1' })
    }
  })

  it('G1 may hold every character that a registered id may hold, but those that no topic can', () => {
    const id = "A-b:c.d%20_*?!(),=@;$'"

    expect(identify({ clientId: id, userName: `localhost/${id}/?api-version=1` }, hostNames)).toEqual({ identity: id })
    expect(identify({ clientId: 'a+b', userName: 'localhost/a+b/?' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: 'a#b', userName: 'localhost/a#b/?' }, hostNames)).toBe('clientId')
  })

  it('G2 is refused when the user name is none of a device of this hub', () => {
    expect(identify({ clientId: 'd1', userName: '' }, hostNames)).toBe('userName')
    expect(identify({ clientId: 'd1', userName: 'd1' }, hostNames)).toBe('userName')
    expect(identify({ clientId: 'd1', userName: '/d1/' }, hostNames)).toBe('userName')
    expect(identify({ clientId: 'd1', userName: 'other.example/d1/' }, hostNames)).toBe('hostName')
  })

  it('G2 is refused when the client id is another', () => {
    const long = 'x'.repeat(129)

    expect(identify({ clientId: 'd2', userName: 'localhost/d1/' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: 'D1', userName: 'localhost/d1/' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: long, userName: `localhost/${long}/` }, hostNames)).toBe('clientId')
  })

  it('G50 is a module when both name its device and it', () => {
    for (const userName of ['localhost/d1/m1/?api-version=2021-04-12', 'localhost/d1/m1/', 'localhost/d1/m1']) {
      expect(identify({ clientId: 'd1/m1', userName }, hostNames)).toEqual({ identity: 'd1/m1' })
      expect(identify({ clientId: 'd1', userName }, hostNames)).toBe('clientId')
    }
    expect(identify({ clientId: 'd1/m1', userName: 'localhost/d1/' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: 'd1/m+1', userName: 'localhost/d1/m+1/?' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: 'd1/m 1', userName: 'localhost/d1/m 1/?' }, hostNames)).toBe('clientId')
  })

  it('G2 no text makes the reader throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (clientId, userName) => {
        identify({ clientId, userName }, hostNames)
        identify({ clientId, userName: `localhost/${userName}` }, hostNames)
      }),
    )
  })
})
