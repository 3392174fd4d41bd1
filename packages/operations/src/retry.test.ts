import type { CallResult } from '@muster/bus'
import { type Extensions, type JsonObject, jsonText } from '@muster/contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { invokeMethod } from './invoke-method.ts'
import { decideCall, notNowsMax, type Tries } from './retry.ts'

type Retry = NonNullable<Extensions['retry']>

const first: Tries = {
  calls: 0,
  notNows: 0,
  now: new Date('2026-03-02T12:00:00Z'),
  deadlineAt: new Date('2026-03-02T13:00:00Z'),
  random: 0.5,
}

function decide(retry: Retry | undefined, result: CallResult, tries: Partial<Tries> = {}, body: JsonObject = {}) {
  const extensions = retry === undefined ? {} : { retry }
  return decideCall(invokeMethod, result, { body, extensions }, { ...first, ...tries })
}

function answer(status: number, payload: JsonObject | null = null): CallResult {
  return { identity: 'pump-1', kind: 'answered', status, payload: jsonText(payload) }
}

const silent: CallResult = { identity: 'pump-1', kind: 'noAnswer', deliveredAtMs: 1 }
const bad: CallResult = { identity: 'pump-1', kind: 'badAnswer', reason: 'it is no JSON' }
const lost: CallResult = { identity: 'pump-1', kind: 'connectionLost', deliveredAtMs: 1 }

describe('retry of a job', () => {
  it.each<[string, Retry, CallResult, Partial<Tries>, string]>([
    ['a server error, by default', { maxAttempts: 3 }, answer(500), {}, 'retry'],
    ['the last server error', { maxAttempts: 3 }, answer(500), { calls: 2 }, 'succeeded'],
    ['a server error in the one attempt', { maxAttempts: 1 }, answer(500), {}, 'succeeded'],
    ['success', { maxAttempts: 3 }, answer(200), {}, 'succeeded'],
    ['a client error, by default', { maxAttempts: 3 }, answer(404), {}, 'succeeded'],
    ['a client error', { maxAttempts: 3, on: ['4xx'] }, answer(404), {}, 'retry'],
    ['another range', { maxAttempts: 3, on: ['4xx'] }, answer(500), {}, 'succeeded'],
    ['its status', { maxAttempts: 3, on: ['503'] }, answer(503), {}, 'retry'],
    ['another status', { maxAttempts: 3, on: ['503'] }, answer(500), {}, 'succeeded'],
    ['a status of four digits', { maxAttempts: 3 }, answer(5000), {}, 'succeeded'],
    ['silence, by default', { maxAttempts: 3 }, silent, {}, 'failed'],
    ['silence', { maxAttempts: 3, on: ['GatewayTimeout'] }, silent, {}, 'retry'],
    ['the last silence', { maxAttempts: 2, on: ['GatewayTimeout'] }, silent, { calls: 1 }, 'failed'],
    ['a bad answer, by default', { maxAttempts: 3 }, bad, {}, 'failed'],
    ['a bad answer', { maxAttempts: 3, on: ['GenericBadGateway'] }, bad, {}, 'retry'],
    ['an unknown outcome, by default', { maxAttempts: 3 }, lost, {}, 'failed'],
    ['an unknown outcome', { maxAttempts: 3, on: ['unknownOutcome'] }, lost, {}, 'retry'],
    ['an unknown outcome by its code', { maxAttempts: 3, on: ['DeviceConnectionClosedRemotely'] }, lost, {}, 'retry'],
    ['the last unknown outcome', { maxAttempts: 3, on: ['unknownOutcome'] }, lost, { calls: 2 }, 'failed'],
    ['what was put off counts not', { maxAttempts: 2 }, answer(500), { calls: 7, notNows: 7 }, 'retry'],
  ])('R51 R52 R53: %s', (_, retry, result, tries, kind) => {
    expect(decide(retry, result, tries).outcome.kind).toBe(kind)
  })

  it('R50 a job without it is decided as ever, and keeps nothing', () => {
    for (const result of [answer(500), answer(503, { retryAfterSeconds: 5 }), silent, bad, lost]) {
      expect(decide(undefined, result)).toEqual({ outcome: invokeMethod.decide(result, {}), kept: null })
    }
  })

  it.each(['notOnline', 'busy', 'expired', 'noGateway'] as const)(
    'R53 what certainly did not reach the device is tried again at no cost, and not kept: %s',
    (kind) => {
      const decided = decide({ maxAttempts: 1 }, { identity: 'pump-1', kind }, { calls: 9 })

      expect(decided).toEqual({ outcome: { kind: 'retry' }, kept: null })
    },
  )

  it('R53 onUnknownOutcome keeps its meaning beside it, and its calls are kept', () => {
    expect(decide({ maxAttempts: 2 }, lost, { calls: 9 }, { onUnknownOutcome: 'retry' })).toMatchObject({
      outcome: { kind: 'retry' },
      kept: { code: 'DeviceConnectionClosedRemotely' },
    })
  })

  it.each([
    [{ jitter: 'none' } as const, [30, 60, 120, 240, 480, 960, 1920]],
    [{ initialSeconds: 10, multiplier: 3, maxSeconds: 100, jitter: 'none' } as const, [10, 30, 90, 100]],
    [{ initialSeconds: 0, jitter: 'none' } as const, [0, 0]],
    [{}, [15, 30, 60]],
  ])('R54 the backoff %j waits so many seconds after each call', (backoff, seconds) => {
    const waits = seconds.map((_, calls) => decide({ maxAttempts: 10, backoff }, answer(500), { calls }).outcome)

    expect(waits).toEqual(seconds.map((wait) => ({ kind: 'retry', afterMs: wait * 1000 })))
  })

  it('R54 a wait is never longer than the longest one, nor than the window', () => {
    const calls = fc.integer({ min: 0, max: 8 })
    const random = fc.double({ min: 0, max: 0.999, noNaN: true })
    const backoff = fc.record({
      initialSeconds: fc.integer({ min: 0, max: 3600 }),
      multiplier: fc.double({ min: 1, max: 10, noNaN: true }),
      maxSeconds: fc.integer({ min: 1, max: 86_400 }),
    })
    fc.assert(
      fc.property(calls, random, backoff, (calls, random, backoff) => {
        const { outcome } = decide({ maxAttempts: 10, backoff }, answer(500), { calls, random })

        const afterMs = outcome.kind === 'retry' ? outcome.afterMs : 0
        expect(['retry', 'succeeded']).toContain(outcome.kind)
        expect(afterMs).toBeGreaterThanOrEqual(0)
        expect(afterMs).toBeLessThanOrEqual(backoff.maxSeconds * 1000)
        expect(afterMs).toBeLessThan(3_600_000)
      }),
    )
  })

  it('R55 a call that would start after the window is not planned: the answer is the outcome', () => {
    const backoff = { initialSeconds: 60, jitter: 'none' } as const
    const at = (deadline: string) =>
      decide({ maxAttempts: 2, backoff }, answer(500), { deadlineAt: new Date(deadline) }).outcome.kind

    expect(at('2026-03-02T12:01:01Z')).toBe('retry')
    expect(at('2026-03-02T12:01:00Z')).toBe('succeeded')
  })
})

describe('a device that says: not now', () => {
  const busy = answer(503, { retryAfterSeconds: 90 })

  it('R56 is called again after the time that it gives, whatever the attempts', () => {
    expect(decide({ deviceSays: true }, busy).outcome).toEqual({ kind: 'retry', afterMs: 90_000, isNotNow: true })
    expect(decide({ deviceSays: true, maxAttempts: 1 }, busy, { calls: 99, notNows: 99 }).outcome.kind).toBe('retry')
  })

  it.each([
    ['the job does not ask it', { maxAttempts: 1 }, busy, {}],
    ['deviceSays is false', { maxAttempts: 1, deviceSays: false }, busy, {}],
    ['it said so a hundred times', { deviceSays: true }, busy, { calls: 100, notNows: notNowsMax }],
    ['another status', { deviceSays: true }, answer(429, { retryAfterSeconds: 90 }), {}],
    ['no time', { deviceSays: true }, answer(503), {}],
    ['a time that is no number', { deviceSays: true }, answer(503, { retryAfterSeconds: '90' }), {}],
    ['less than a second', { deviceSays: true }, answer(503, { retryAfterSeconds: 0 }), {}],
    ['more than a day', { deviceSays: true }, answer(503, { retryAfterSeconds: 86_401 }), {}],
    ['longer than the window', { deviceSays: true }, answer(503, { retryAfterSeconds: 3600 }), {}],
  ])('R56 gives an answer like any other when %s', (_, retry, result, tries) => {
    expect(decide(retry, result, tries).outcome.kind).toBe('succeeded')
  })

  it('R56 an answer like any other is retried like any other', () => {
    const { outcome } = decide({ deviceSays: true, maxAttempts: 2 }, busy, { calls: 100, notNows: notNowsMax })

    expect(outcome).toEqual({ kind: 'retry', afterMs: 15_000 })
  })
})

describe('what is kept of a call', () => {
  it('R57 is its time, and the status and payload of the answer, or the code and text of the error', () => {
    const time = '2026-03-02T12:00:00.000Z'

    expect(decide({ maxAttempts: 2 }, answer(500, { why: 'full' })).kept).toEqual({
      time,
      status: 500,
      text: '{"why":"full"}',
    })
    expect(decide({ maxAttempts: 2 }, silent).kept).toEqual({
      time,
      code: 'GatewayTimeout',
      text: 'Timed out waiting for the response from device.',
    })
  })

  it('R57 is short, and nothing that Postgres cannot store', () => {
    const { kept } = decide({ maxAttempts: 2 }, { ...bad, reason: `\ud800 \0${'x'.repeat(1_000)}` })

    expect(kept?.text).toMatch(/^The device's answer could not be used: \ufffd \ufffdx+…$/)
    expect(kept?.text.length).toBeLessThanOrEqual(201)
  })
})
