import type { Model, ModelClock } from './model.ts'
import { type Step, step } from './step.ts'

export const processCount = 3

/** C3: a trusted time may be wrong by so much. */
export const errorMsMax = 500

/** C1: a process measures the time of the hub, and is wrong by so much now. */
export function measure(processNo: number, aheadMs: number): Step {
  return setClock(`measure(process ${processNo}, ${aheadMs} ms ahead)`, processNo, () => ({ aheadMs, isTrusted: true }))
}

/**
 * C3: the clock of a machine jumps. The time of the hub does not jump with it, but the process does not trust it until it measures. If the
 * machine was asleep, the process is behind by the time of its sleep.
 */
export function jump(processNo: number, asleepSeconds: number): Step {
  return setClock(`jump(process ${processNo}, asleep for ${asleepSeconds} s)`, processNo, ({ aheadMs }) => ({
    aheadMs: aheadMs - asleepSeconds * 1000,
    isTrusted: false,
  }))
}

function setClock(text: string, processNo: number, change: (clock: ModelClock) => ModelClock): Step {
  return step(text, async () => (model) => {
    model.clocks = model.clocks.with(processNo, change(clockOf(model, processNo)))
  })
}

/** Done by a process, at its time. */
export function by(processNo: number, { text, isPossible, act }: Step): Step {
  return {
    text: `process ${processNo}: ${text}`,
    isPossible: (model) => isPossible(shifted(model, processNo)),
    async act(db, before) {
      const follow = await act(db, shifted(before, processNo))
      return (model, isAlone) => {
        const { now } = model
        model.now = shifted(model, processNo).now
        follow(model, isAlone)
        model.now = now
      }
    },
  }
}

/** C3: a process that does not trust its time claims nothing, starts nothing and repairs nothing. */
export function byTrusted(processNo: number, step: Step): Step {
  const done = by(processNo, step)
  return { ...done, isPossible: (model) => clockOf(model, processNo).isTrusted && done.isPossible(model) }
}

function shifted(model: Model, processNo: number): Model {
  return { ...model, now: model.now + clockOf(model, processNo).aheadMs }
}

function clockOf({ clocks }: Model, processNo: number): ModelClock {
  const clock = clocks[processNo]
  if (clock === undefined) throw new Error(`there is no process ${processNo}`)
  return clock
}
