import { HubError } from '@muster/contract'
import { expect, it } from 'vitest'
import { callersError, errorReply } from './errors.ts'

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

/** What the SDK for Node makes of an error: what stands between the first two semicolons of `Message`. */
const shownByNode = (message: string) => message.split(';')[1]

it('a semicolon in a sentence cuts it in no form: it is a comma in the older one, and escaped in the newer', async () => {
  const message = 'seconds must be within [5; 300]. Device ids may hold ; too'
  const messageIn = async (form: 'envelope' | 'nested') => {
    const request = { trackingId: 'one', form, now: new Date('2026-03-02T12:00:00Z') }
    return JSON.parse(await errorReply(new HubError('ArgumentInvalid', { message }), request).text()).Message
  }

  const [older, newer] = [await messageIn('envelope'), await messageIn('nested')]

  expect(shownByNode(older)).toBe('seconds must be within [5, 300]. Device ids may hold semicolon too')
  expect(shownByNode(newer)).toBeUndefined()
  expect(JSON.parse(newer)).toMatchObject({ errorCode: 400004, message })
})
