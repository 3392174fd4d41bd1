import { expect } from 'vitest'
import type { Db } from '../../../src/postgres/sql.ts'
import { expectAgreement, readState } from './checks.ts'
import type { Model } from './model.ts'
import type { Step } from './step.ts'

/** How a step comes about: once, or as messages, processes and clocks have it. Leaves the model where it has to be. */
export interface Happening {
  readonly text: string
  isPossible(model: Model): boolean
  happen(db: Db, model: Model): Promise<void>
}

export function once(step: Step): Happening {
  return {
    text: step.text,
    isPossible: step.isPossible,
    happen: async (db, model) => (await step.act(db, model))(model, true),
  }
}

/** What usually follows from one another. */
export function inTurn(...steps: readonly Step[]): Happening {
  return {
    text: steps.map(({ text }) => text).join(', then '),
    isPossible: (model) => steps.every((step) => step.isPossible(model)),
    async happen(db, model) {
      for (const step of steps) await once(step).happen(db, model)
    },
  }
}

/** The same, but what is not possible when its turn comes is left out. */
export function asPossible(first: Step, ...steps: readonly Step[]): Happening {
  return {
    text: [first, ...steps].map(({ text }) => text).join(', perhaps '),
    isPossible: first.isPossible,
    async happen(db, model) {
      for (const step of [first, ...steps]) if (step.isPossible(model)) await once(step).happen(db, model)
    },
  }
}

/** The same message is delivered again: the second time it is about what it was about the first time. */
export function twice(step: Step): Happening {
  return {
    text: `twice ${step.text}`,
    isPossible: step.isPossible,
    async happen(db, model) {
      const before = structuredClone(model)
      const deliver = async () => (await step.act(db, before))(model, true)
      await deliver()
      await deliver()
    },
  }
}

/** The process dies before the transaction commits. */
export function crashed(step: Step): Happening {
  return {
    text: `crash in ${step.text}`,
    isPossible: step.isPossible,
    async happen(db, model) {
      const crash = db.transaction(async (tx) => {
        await step.act(tx, model)
        throw new Error('the process is gone')
      })
      await expect(crash).rejects.toThrow('the process is gone')
    },
  }
}

/** The process stands still after its look at the clock. */
export function late(step: Step, seconds: number): Happening {
  return {
    text: `${seconds} s late: ${step.text}`,
    isPossible: step.isPossible,
    async happen(db, model) {
      model.now -= seconds * 1000
      await once(step).happen(db, model)
      model.now += seconds * 1000
    },
  }
}

/** Two processes at the same time: it has to come out as if one had been first, whichever. */
export function atOnce(left: Step, right: Step): Happening {
  return {
    text: `at once ${left.text} and ${right.text}`,
    isPossible: (model) => left.isPossible(model) && right.isPossible(model),
    async happen(db, model) {
      const [followLeft, followRight] = await Promise.all([left.act(db, model), right.act(db, model)])
      const state = await readState(db)
      const errors: unknown[] = []
      for (const follows of [
        [followLeft, followRight],
        [followRight, followLeft],
      ]) {
        const next = structuredClone(model)
        try {
          for (const follow of follows) follow(next, false)
          expectAgreement(next, state)
          Object.assign(model, next)
          return
        } catch (error) {
          errors.push(error)
        }
      }
      throw new Error(`neither order explains it:\n${errors.join('\n')}`)
    },
  }
}
