import { describe, expect, it } from 'vitest'
import { parseMethodRequest } from './method.ts'

describe('a method call', () => {
  it('has its members in any letter case', () => {
    const body = { MethodName: 'm', PAYLOAD: { Delay: 1, delay: 2 }, ResponseTimeoutInSeconds: 7 }

    expect(parseMethodRequest(body)).toEqual({
      methodName: 'm',
      payload: '{"Delay":1,"delay":2}',
      responseTimeoutInSeconds: 7,
      connectTimeoutInSeconds: 0,
    })
  })

  it.each([4, 'soon', null])('counts by the newer name of its timeout when the older one holds %j', (older) => {
    const read = (members: object) => parseMethodRequest({ methodName: 'm', ...members }).responseTimeoutInSeconds

    expect(read({ timeoutInSeconds: older, responseTimeoutInSeconds: 20 })).toBe(20)
    expect(read({ TimeoutInSeconds: older, ResponseTimeoutInSeconds: 20 })).toBe(20)
    expect(read({ timeoutInSeconds: 40, responseTimeoutInSeconds: null })).toBe(40)
  })

  it('says of a timeout out of range what the incumbent says, and what it got', () => {
    const parse = (timeout: object) => () => parseMethodRequest({ methodName: 'm', ...timeout }, 'root')

    expect(parse({ responseTimeoutInSeconds: 4 })).toThrow(
      /^root\.responseTimeoutInSeconds must be within \[5; 300\]\. Got 4$/,
    )
    expect(parse({ timeoutInSeconds: 301 })).toThrow('root.timeoutInSeconds must be within [5; 300]. Got 301')
  })
})

describe('the payload of a method', () => {
  const parse = (payload: string) => parseMethodRequest(JSON.parse(`{"methodName":"m","payload":${payload}}`))

  it.each(['{"__proto__":{"a":1},"b":[{"__proto__":null}]}', 'null', 'false', '"text"', '[1,[2]]'])(
    'is passed on as it is: %s',
    (payload) => {
      expect(parse(payload).payload).toBe(payload)
    },
  )

  it('may not hold a number that no double holds', () => {
    expect(() => parse('{"a":[1,1e400]}')).toThrow('payload.a[1]: the number is too large')
  })
})
