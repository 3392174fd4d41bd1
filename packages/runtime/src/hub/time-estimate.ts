/** One reading of Postgres' clock. The times of this process are of a clock that never jumps, in ms from any origin. */
export interface Measurement {
  readonly sentMs: number
  readonly receivedMs: number
  /** What Postgres said in between. */
  readonly hubMs: number
}

/** How the time of the hub follows from a clock of this process that never jumps. */
export interface TimeEstimate {
  add(measurement: Measurement): void
  /** The time of the hub. Ask in the order of time: it is never less than it was before. */
  at(steadyMs: number): number
  /** By how much `at` may be wrong. */
  errorMs(steadyMs: number): number
}

/** One slow answer, or one that a busy process read late, must not move the time. */
const keptMax = 5
/** Two readings that contradict each other by more show that a clock has jumped, or that this machine was asleep. The older one is void. */
const contradictionMs = 100
/** Time that is ahead of Postgres goes at half its speed until Postgres has come up with it. */
const slewing = 0.5

interface Offset {
  readonly offsetMs: number
  /** Half of the round trip: Postgres may have read its clock at any moment of it. */
  readonly errorMs: number
}

export function estimateTime(first: Measurement): TimeEstimate {
  let kept: readonly Offset[] = [offsetOf(first)]
  let targetMs = medianOf(kept)
  /** The offset in use, and since when it moves to the target. */
  let from = { offsetMs: targetMs, steadyMs: first.receivedMs }
  /** Sums of fractions are rounded, so the same time may come out a trifle earlier after a measurement. */
  let toldMs = Number.NEGATIVE_INFINITY

  const offsetAt = (steadyMs: number) =>
    Math.max(targetMs, from.offsetMs - slewing * Math.max(0, steadyMs - from.steadyMs))

  return {
    add(measurement) {
      const latest = offsetOf(measurement)
      kept = [...kept.filter((each) => !contradicts(each, latest)), latest].slice(-keptMax)
      const { receivedMs } = measurement
      from = { offsetMs: offsetAt(receivedMs), steadyMs: receivedMs }
      targetMs = medianOf(kept)
    },
    at(steadyMs) {
      toldMs = Math.max(toldMs, steadyMs + offsetAt(steadyMs))
      return toldMs
    },
    errorMs: (steadyMs) =>
      offsetAt(steadyMs) -
      targetMs +
      Math.min(...kept.map((each) => Math.abs(each.offsetMs - targetMs) + each.errorMs)),
  }
}

function offsetOf({ sentMs, receivedMs, hubMs }: Measurement): Offset {
  return { offsetMs: hubMs - (sentMs + receivedMs) / 2, errorMs: (receivedMs - sentMs) / 2 }
}

function contradicts(one: Offset, other: Offset): boolean {
  return Math.abs(one.offsetMs - other.offsetMs) > one.errorMs + other.errorMs + contradictionMs
}

/** Of an even number, the lower one in the middle. */
function medianOf(offsets: readonly Offset[]): number {
  const sorted = offsets.map(({ offsetMs }) => offsetMs).toSorted((one, other) => one - other)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
}
