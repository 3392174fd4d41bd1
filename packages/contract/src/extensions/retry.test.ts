import { describe, expect, it } from 'vitest'
import { parseExtensions } from './extensions.ts'

const parse = (retry: unknown) => parseExtensions({ retry }, [])

describe('R50 retry', () => {
  it.each([
    { maxAttempts: 1 },
    { deviceSays: true },
    { maxAttempts: 10, on: ['5xx', '4xx', '503', 'GatewayTimeout', 'GenericBadGateway', 'unknownOutcome'] },
    { maxAttempts: 3, backoff: { initialSeconds: 0, multiplier: 1.5, maxSeconds: 86_400, jitter: 'none' } },
    { maxAttempts: 3, backoff: {}, deviceSays: false },
  ])('is read as it is given: %j', (retry) => {
    expect(parse(retry)).toEqual({ retry })
  })

  it.each([
    [{}, 'retry must be an object with maxAttempts of 1 to 10, or with deviceSays true, got {}'],
    [{ deviceSays: false }, 'retry must be an object with maxAttempts of 1 to 10, or with deviceSays true'],
    [{ deviceSays: true, on: ['5xx'] }, 'retry must be an object with maxAttempts of 1 to 10 beside on'],
    [{ maxAttempts: 0 }, 'retry.maxAttempts must be at least 1, got 0'],
    [{ maxAttempts: 11 }, 'retry.maxAttempts must be at most 10, got 11'],
    [{ maxAttempts: 2.5 }, 'retry.maxAttempts must be an integer, got 2.5'],
    [{ attempts: 3 }, 'retry.attempts is not known; expected one of maxAttempts, on, backoff, deviceSays'],
    [{ maxAttempts: 3, on: [] }, 'retry.on must be a list of 1 to 20 classes, got []'],
    [
      { maxAttempts: 3, on: ['GatewayTimout'] },
      'retry.on.0 must be one of GatewayTimeout, GenericBadGateway, DeviceConnectionClosedRemotely, unknownOutcome, 4xx, 5xx, or a status such as 503; the nearest is GatewayTimeout, got "GatewayTimout"',
    ],
    [{ maxAttempts: 3, on: ['5xx', 'DeviceNotFound'] }, 'or a status such as 503, got "DeviceNotFound"'],
    [{ maxAttempts: 3, on: ['5XX'] }, 'the nearest is 5xx, got "5XX"'],
    [{ maxAttempts: 3, on: [503] }, 'retry.on.0 must be a string, got 503'],
    [{ maxAttempts: 3, on: '5xx' }, 'retry.on must be an array, got "5xx"'],
    [
      { maxAttempts: 3, backoff: { initialSeconds: 3601 } },
      'retry.backoff.initialSeconds must be at most 3600, got 3601',
    ],
    [{ maxAttempts: 3, backoff: { multiplier: 0.5 } }, 'retry.backoff.multiplier must be at least 1, got 0.5'],
    [{ maxAttempts: 3, backoff: { maxSeconds: 0 } }, 'retry.backoff.maxSeconds must be at least 1, got 0'],
    [{ maxAttempts: 3, backoff: { jitter: 'half' } }, 'retry.backoff.jitter must be one of full, none, got "half"'],
    [{ maxAttempts: 3, backoff: { maximumSeconds: 5 } }, 'retry.backoff.maximumSeconds is not known'],
  ])('%j is refused', (retry, message) => {
    expect(() => parse(retry)).toThrow(message)
  })
})
