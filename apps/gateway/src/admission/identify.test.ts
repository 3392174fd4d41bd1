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
      'hub.example/d1?api-version=2021-04-12',
      'hub.example/d1/?unknown&x=/a/b?c=&api-version=2021-04-12',
    ]) {
      expect(identify({ clientId: 'd1', userName }, hostNames)).toEqual({ identity: 'd1', modelId: null })
    }
  })

  it('G1 is read from the user name of a device of 2018, whose parameters are in another order', () => {
    for (const parameters of [
      'DeviceClientType=azure-iot-device%2F1.4.0&api-version=2017-11-08-preview',
      'DeviceClientType=c%2F1.2.0%20(native; Linux; x86_64)&api-version=2016-11-14',
      'ProductInfo=device/1.0&api-version=2016-11-14',
      '?DeviceClientType=node/1.3&api-version=2017-06-30',
    ]) {
      expect(identify({ clientId: 'd1', userName: `localhost/d1/${parameters}` }, hostNames)).toEqual({
        identity: 'd1',
        modelId: null,
      })
      expect(identify({ clientId: 'd1/m1', userName: `localhost/d1/m1/${parameters}` }, hostNames)).toEqual({
        identity: 'd1/m1',
        modelId: null,
      })
    }
  })

  it('G1 may hold every character that a registered id may hold', () => {
    const id = "A-b:c.d%20_+#*?!(),=@;$'"

    expect(identify({ clientId: id, userName: `localhost/${id}/?api-version=1` }, hostNames)).toEqual({
      identity: id,
      modelId: null,
    })
  })

  it('G2 is refused when the user name is none of a device of this hub', () => {
    expect(identify({ clientId: 'd1', userName: '' }, hostNames)).toBe('userName')
    expect(identify({ clientId: 'd1', userName: 'd1' }, hostNames)).toBe('userName')
    expect(identify({ clientId: 'd1', userName: '/d1/' }, hostNames)).toBe('userName')
    expect(identify({ clientId: 'd1', userName: 'localhost/' }, hostNames)).toBe('userName')
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
      expect(identify({ clientId: 'd1/m1', userName }, hostNames)).toEqual({ identity: 'd1/m1', modelId: null })
      expect(identify({ clientId: 'd1', userName }, hostNames)).toBe('clientId')
    }
    expect(identify({ clientId: 'd1/m1', userName: 'localhost/d1/' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: 'd1/m/1', userName: 'localhost/d1/m/1/?' }, hostNames)).toBe('clientId')
    expect(identify({ clientId: 'd1/m 1', userName: 'localhost/d1/m 1/?' }, hostNames)).toBe('clientId')
  })

  it('G50 is a module of any registered id: the client id tells the id from the parameters', () => {
    for (const id of ['?', '?x', 'api-version=', 'api-version=2021-04-12']) {
      const clientId = `d1/${id}`
      const module = { identity: clientId, modelId: null }

      expect(identify({ clientId, userName: `localhost/d1/${id}` }, hostNames)).toEqual(module)
      expect(identify({ clientId, userName: `localhost/d1/${id}/?api-version=2021-04-12` }, hostNames)).toEqual(module)
      expect(identify({ clientId: 'd1', userName: `localhost/d1/${id}` }, hostNames)).toMatchObject({ identity: 'd1' })
      expect(identify({ clientId: `${clientId}x`, userName: `localhost/d1/${id}` }, hostNames)).toBe('clientId')
    }
    const userName = 'localhost/d1/?x/?model-id=dtmi:lamp;1'
    expect(identify({ clientId: 'd1/?x', userName }, hostNames)).toEqual({ identity: 'd1/?x', modelId: 'dtmi:lamp;1' })
  })

  const modelIn = (query: string) => {
    const identified = identify({ clientId: 'd1', userName: `localhost/d1/${query}` }, hostNames)
    return typeof identified === 'object' ? identified.modelId : identified
  }

  it('G56 may come with a model id, encoded or not, wherever it stands', () => {
    expect(modelIn('?api-version=2021-04-12&model-id=dtmi%3Acom%3Aexample%3AThermo_stat%3B1')).toBe(
      'dtmi:com:example:Thermo_stat;1',
    )
    expect(modelIn('?model-id=dtmi:lamp;1.2&DeviceClientType=a/b')).toBe('dtmi:lamp;1.2')
    expect(modelIn('?DeviceClientType=a/b?&model-id=dtmi:lamp;1')).toBe('dtmi:lamp;1')
    expect(modelIn('api-version=2016-11-14&model-id=dtmi:lamp;1')).toBe('dtmi:lamp;1')
    expect(modelIn('?model-id=')).toBe('')
    const module = { clientId: 'd1/m1', userName: 'localhost/d1/m1/?api-version=2021-04-12&model-id=dtmi:lamp;1' }
    expect(identify(module, hostNames)).toEqual({ identity: 'd1/m1', modelId: 'dtmi:lamp;1' })
  })

  it('G56 has no model id when it is none, or too long', () => {
    const longest = `dtmi:${'x'.repeat(2043)}`

    expect(modelIn(`?model-id=${longest}`)).toBe(longest)
    for (const none of [
      `${longest}x`,
      'lamp',
      'dtmi:',
      'dtmi:a b',
      'dtmi:a+b',
      'dtmi:a%zz',
      'dtmi:%C3%A4',
      'dtmi:%00',
      'dtmi:%ff',
    ]) {
      expect(modelIn(`?model-id=${none}`)).toBeNull()
    }
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
