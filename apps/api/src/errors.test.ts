import { expect, it } from 'vitest'
import { callersError } from './errors.ts'

const ofPostgres = (code: string) =>
  new Error('the statement failed', { cause: Object.assign(new Error('no'), { code }) })

it.each([
  ['a lost connection', '57P01', 'cannot reach its database'],
  ['a deadlock', '40P01', 'changed the same at the same time'],
])('%s asks the caller to try again', (_, code, text) => {
  expect(callersError(ofPostgres(code))).toMatchObject({
    httpStatus: 503,
    retryAfterMs: 1000,
    message: expect.stringContaining(text),
  })
})

it('any other error of Postgres stays inside', () => {
  expect(callersError(ofPostgres('42P01'))).toMatchObject({
    httpStatus: 500,
    message: expect.not.stringContaining('the statement failed'),
  })
})
