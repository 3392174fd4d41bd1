/** How long Postgres has answered without a break, as far as this process knows. */
export interface Outages {
  /** A statement found Postgres away. */
  noteLoss(): void
  /** A statement succeeded. */
  noteAnswer(): void
  /** 0 during an outage. A process that has just started knows of no earlier time. */
  secondsSince(): number
}

export function watchOutages(nowMs: () => number = () => performance.now()): Outages {
  let steadySinceMs: number | null = nowMs()
  return {
    noteLoss() {
      steadySinceMs = null
    },
    noteAnswer() {
      steadySinceMs ??= nowMs()
    },
    secondsSince: () => (steadySinceMs === null ? 0 : (nowMs() - steadySinceMs) / 1000),
  }
}
