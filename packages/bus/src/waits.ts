/** Waits for answers that others send. */
export interface Waits {
  /** Calls `end` once, after so many ms in which this process could have heard an answer. The result cancels it. */
  start(ms: number, end: () => void): () => void
}

const tickMs = 100
/** Ticks of a busy process are late by less. */
const lateMsMax = 250

/**
 * A process may stand still: frozen, swapped out, or busy with one long task. Then answers wait in its sockets while time passes, and a
 * timer of Node would end before they are read. Here the time of such a pause does not count, and what has ended is told only after the
 * sockets were read once more. All waits share one timer, which runs while there are some. A wait ends
 * up to two ticks late.
 *
 * `nowMs` is a clock that goes on during a pause.
 */
export function createWaits({ nowMs = () => performance.now() }: { nowMs?: () => number } = {}): Waits {
  const byTick = new Map<number, Set<() => void>>()
  let timer: NodeJS.Timeout | undefined
  let seenAtMs = 0
  /** The time without pauses. */
  let awakeMs = 0
  /** A pause was seen since the last tick. */
  let hasPaused = false
  let isSkipped = false
  let lastTick = 0

  const look = () => {
    const now = nowMs()
    const passedMs = now - seenAtMs
    seenAtMs = now
    const isPause = passedMs > tickMs + lateMsMax
    // Of a pause a tick counts, so that a process that is always late gets to an end, too.
    awakeMs += isPause ? tickMs : passedMs
    hasPaused ||= isPause
  }
  const endDue = () => {
    const dueTick = Math.floor(awakeMs / tickMs)
    while (lastTick < dueTick && byTick.size > 0) {
      lastTick += 1
      const due = byTick.get(lastTick)
      byTick.delete(lastTick)
      for (const end of due ?? []) end()
    }
    lastTick = dueTick
    if (byTick.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
  const tick = () => {
    look()
    // After a pause there is a whole tick for reading; but not after every one, in a process that is always late.
    isSkipped = hasPaused && !isSkipped
    hasPaused = false
    // Timers come before sockets in the loop of Node, and immediates after them.
    if (!isSkipped) setImmediate(endDue)
  }

  return {
    start(ms, end) {
      if (timer === undefined) {
        seenAtMs = nowMs()
        timer = setInterval(tick, tickMs)
        timer.unref()
      } else look()
      // Never the tick that is being worked on.
      const dueTick = Math.max(Math.ceil((awakeMs + ms) / tickMs), lastTick + 1)
      const ends = byTick.get(dueTick) ?? new Set()
      const ended = () => {
        ends.delete(ended)
        end()
      }
      byTick.set(dueTick, ends.add(ended))
      return () => {
        ends.delete(ended)
        if (ends.size === 0 && byTick.get(dueTick) === ends) byTick.delete(dueTick)
      }
    },
  }
}
