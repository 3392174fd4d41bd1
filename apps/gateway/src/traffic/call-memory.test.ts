import { jsonText } from '@muster/contract'
import { describe, expect, it } from 'vitest'
import type { CallOutcome } from '../sessions/pending-call.ts'
import { createCallMemory } from './call-memory.ts'

const answered = { kind: 'answered', status: 200, payload: jsonText('x'.repeat(98)) } as const

describe('G38 the memory of calls', () => {
  it('gives everyone who asks the one outcome, before and after it is there', () => {
    const memory = createCallMemory(() => 7)
    const heard: CallOutcome[] = []
    const call = memory.add('pump', 'a1', 1)
    memory.find('pump', 'a1')?.follow((outcome) => heard.push(outcome))

    expect(heard).toEqual([])
    call.settle(answered)
    memory.find('pump', 'a1')?.follow((outcome) => heard.push(outcome))

    expect(heard).toEqual([answered, answered])
    expect(memory.find('pump', 'a1')).toMatchObject({ delivery: 1, deliveredAtMs: 7 })
    expect(memory.find('pump', 'a2')).toBeUndefined()
    expect(memory.find('lift', 'a1')).toBeUndefined()
  })

  it.each([
    ['calls', { calls: 2, answerBytes: 1_000_000 }],
    ['bytes of answers', { calls: 1_000_000, answerBytes: 250 }],
  ])('forgets the oldest when it holds too many %s, and says since when it is whole', (_, limits) => {
    let nowMs = 100
    const memory = createCallMemory(() => nowMs, limits)
    const before = memory.sinceMs()
    for (const identity of ['first', 'second', 'third']) {
      nowMs += 10
      memory.add(identity, 'a1', 1).settle(answered)
    }

    expect(before).toBe(100)
    expect(memory.find('first', 'a1')).toBeUndefined()
    expect(memory.find('second', 'a1')).toBeDefined()
    expect(memory.sinceMs()).toBe(111)
  })

  it('never forgets a call that has no outcome yet', () => {
    const memory = createCallMemory(() => 1, { calls: 1, answerBytes: 0 })
    memory.add('slow', 'a1', 1)
    memory.add('prompt', 'a1', 1).settle(answered)

    expect(memory.find('slow', 'a1')).toBeDefined()
    expect(memory.find('prompt', 'a1')).toBeUndefined()
  })
})
