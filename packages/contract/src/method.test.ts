import { describe, expect, it } from 'vitest'
import { methodRequestSchema } from './method.ts'
import { parseBody } from './schemas.ts'

describe('the payload of a method', () => {
  const parse = (payload: string) =>
    parseBody(methodRequestSchema, JSON.parse(`{"methodName":"m","payload":${payload}}`))

  it.each(['{"__proto__":{"a":1},"b":[{"__proto__":null}]}', 'null', 'false', '"text"', '[1,[2]]'])(
    'is passed on as it is: %s',
    (payload) => {
      expect(JSON.stringify(parse(payload).payload)).toBe(payload)
    },
  )

  it('may not hold a number that no double holds', () => {
    expect(() => parse('{"a":[1,1e400]}')).toThrow('payload.a[1]: the number is too large')
  })
})
