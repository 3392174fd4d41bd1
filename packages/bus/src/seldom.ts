/** At most one report a second for each kind of failure: a Redis that ails fails every command. */
const everyMs = 1_000
/** Kinds come from texts of Redis, so their number needs a bound. */
const kindsMax = 50

/** Passes on the first failure of its kind in each second. */
export function seldom(report: (error: Error) => void): (error: Error) => void {
  const lastMs = new Map<string, number>()
  return (error) => {
    const kind = kindOf(error)
    const nowMs = performance.now()
    const last = lastMs.get(kind)
    if (last !== undefined && nowMs - last < everyMs) return
    if (last === undefined && lastMs.size >= kindsMax) lastMs.clear()
    lastMs.set(kind, nowMs)
    report(error)
  }
}

/** The code of the system, or the first word of Redis' answer, such as OOM or READONLY. Other texts are of one kind for each type. */
function kindOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code
  return /^[A-Z]{2,}\b/.exec(error.message)?.[0] ?? error.name
}
