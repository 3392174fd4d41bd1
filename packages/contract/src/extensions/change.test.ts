import { describe, expect, it } from 'vitest'
import { changeExtensions, parseJobChange } from './change.ts'
import { parseExtensions } from './extensions.ts'

const ramp = (criteria: object = { numberOfNotifiedThings: 100 }) => ({
  baseRatePerMinute: 50,
  incrementFactor: 1.5,
  rateIncreaseCriteria: criteria,
})
const parse = (body: unknown) => parseJobChange(body, ['type', 'startTime', 'maxExecutionTimeInSeconds'])

describe('R31 an exponential rate', () => {
  const parseRollout = (rollout: object) => parseExtensions({ rollout }, [])

  it.each([ramp(), ramp({ numberOfSucceededThings: 1 }), { ...ramp(), baseRatePerMinute: 1000, incrementFactor: 5 }])(
    '%j is read',
    (exponentialRate) => {
      const rollout = { maximumPerMinute: 1000, exponentialRate }
      expect(parseRollout(rollout)).toEqual({ rollout })
    },
  )

  it.each([
    [{ exponentialRate: ramp() }, 'rollout.maximumPerMinute is missing; it must be given beside exponentialRate'],
    [
      { maximumPerMinute: 49, exponentialRate: ramp() },
      'rollout.exponentialRate.baseRatePerMinute must be at most maximumPerMinute, got 50',
    ],
    [
      { maximumPerMinute: 99, exponentialRate: { ...ramp(), incrementFactor: 1 } },
      'incrementFactor must be at least 1.1',
    ],
    [{ maximumPerMinute: 99, exponentialRate: { ...ramp(), incrementFactor: 6 } }, 'incrementFactor must be at most 5'],
    [{ maximumPerMinute: 99, exponentialRate: { ...ramp(), baseRatePerMinute: 0 } }, 'must be at least 1, got 0'],
    [
      { maximumPerMinute: 99, exponentialRate: ramp({}) },
      'rateIncreaseCriteria must be an object with either numberOfNotifiedThings or numberOfSucceededThings, got {}',
    ],
    [
      { maximumPerMinute: 99, exponentialRate: ramp({ numberOfNotifiedThings: 1, numberOfSucceededThings: 1 }) },
      'rateIncreaseCriteria must be an object with either',
    ],
    [
      { maximumPerMinute: 99, exponentialRate: ramp({ numberOfNotified: 1 }) },
      'rollout.exponentialRate.rateIncreaseCriteria.numberOfNotified is not known; expected one of numberOfNotifiedThings, numberOfSucceededThings. The nearest is numberOfNotifiedThings',
    ],
  ])('%j is refused', (rollout, message) => {
    expect(() => parseRollout(rollout)).toThrow(message)
  })
})

describe('R34 a change of a job', () => {
  it.each([
    { priority: null },
    { rollout: { maximumPerMinute: 5, maximumInFlight: null, exponentialRate: null } },
    { maxExecutionTimeInSeconds: 60, rollout: { exponentialRate: ramp() } },
  ])('%j is read', (body) => {
    expect(parse(body)).toEqual(body)
  })

  it.each([
    [undefined, 'the body is missing; it must be an object'],
    [{}, 'the body changes nothing; expected one of rollout, priority, maxExecutionTimeInSeconds'],
    [{ rollout: {} }, 'the body changes nothing'],
    [{ type: 'x' }, 'type cannot change once the job is there; what can is rollout, priority'],
    [{ pauseTimeoutSeconds: 5 }, 'pauseTimeoutSeconds cannot change'],
    [
      { priorty: 5 },
      'priorty is not known; expected one of rollout, priority, maxExecutionTimeInSeconds. The nearest is priority',
    ],
    [{ rollout: { maximumPerMinut: 5 } }, 'The nearest is maximumPerMinute'],
    [{ rollout: { exponentialRate: { ...ramp(), factor: 5 } } }, 'rollout.exponentialRate.factor is not known'],
    [{ rollout: { maximumPerMinute: 0 } }, 'rollout.maximumPerMinute must be at least 1, got 0'],
    [{ priority: 1001 }, 'priority must be at most 1000, got 1001'],
    [{ maxExecutionTimeInSeconds: 0 }, 'maxExecutionTimeInSeconds must be at least 1, got 0'],
    [{ maxExecutionTimeInSeconds: null }, 'maxExecutionTimeInSeconds is missing; it must be a number'],
  ])('%j is refused', (body, message) => {
    expect(() => parse(body)).toThrow(message)
  })

  it('keeps what it does not name, takes away what is null, and tells what is another than before', () => {
    const before = { rollout: { maximumPerMinute: 60, maximumInFlight: 5 }, priority: 7, pauseTimeoutSeconds: 9 }

    expect(changeExtensions(before, { rollout: { maximumPerMinute: 90, maximumInFlight: 5 }, priority: null })).toEqual(
      {
        extensions: { rollout: { maximumPerMinute: 90, maximumInFlight: 5 }, pauseTimeoutSeconds: 9 },
        changes: { 'rollout.maximumPerMinute': 90, priority: null },
      },
    )
    expect(changeExtensions(before, { rollout: { maximumPerMinute: null, maximumInFlight: null } })).toEqual({
      extensions: { priority: 7, pauseTimeoutSeconds: 9 },
      changes: { 'rollout.maximumPerMinute': null, 'rollout.maximumInFlight': null },
    })
    expect(changeExtensions({}, { priority: null, rollout: { exponentialRate: null } })).toEqual({
      extensions: {},
      changes: {},
    })
  })

  it('is refused when what remains does not fit together', () => {
    const before = { rollout: { maximumPerMinute: 600, exponentialRate: ramp() } }

    expect(() => changeExtensions(before, { rollout: { maximumPerMinute: null } })).toThrow(
      'rollout.maximumPerMinute is missing; it must be given beside exponentialRate',
    )
  })
})
