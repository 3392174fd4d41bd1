import { describe, expect, it } from 'vitest'
import { parseExtensions } from './extensions.ts'

const parse = (body: unknown) => parseExtensions(body, ['type', 'startTime'])

describe('R1 the extensions of a job', () => {
  it('are read by their exact names, and nothing is added', () => {
    expect(parse({ type: 'x', rollout: { maximumPerMinute: 60 }, priority: 1000 })).toEqual({
      rollout: { maximumPerMinute: 60 },
      priority: 1000,
    })
  })

  it.each([undefined, null, 'text', {}, { rollout: null }, { somethingElse: 1, Type: 'x' }])(
    'may be absent: %j',
    (body) => {
      expect(parse(body)).toEqual({})
    },
  )

  it.each([
    [{ rollouts: {} }, 'rollouts is not known. The nearest is rollout.'],
    [{ Priority: 3 }, 'Priority is not known. The nearest is priority.'],
    [
      { rollout: { maxPerMinute: 3 } },
      'rollout.maxPerMinute is not known; expected one of maximumPerMinute, exponentialRate, maximumInFlight, stages, order. The nearest is maximumPerMinute',
    ],
    [
      { rollout: { '': 3 } },
      'rollout. is not known; expected one of maximumPerMinute, exponentialRate, maximumInFlight, stages, order',
    ],
    [{ rollout: 3 }, 'rollout must be an object, got 3'],
    [{ rollout: { maximumPerMinute: 0 } }, 'rollout.maximumPerMinute must be at least 1, got 0'],
    [{ rollout: { maximumInFlight: '9' } }, 'rollout.maximumInFlight must be a number, got "9"'],
    [{ priority: 1001 }, 'priority must be at most 1000, got 1001'],
  ])('%j is refused', (body, message) => {
    expect(() => parse(body)).toThrow(message)
  })
})
