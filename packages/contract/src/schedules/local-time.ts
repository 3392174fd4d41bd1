/** The time that a clock shows in a zone, as the UTC time that looks alike. So calculations on it know no changes of the clock. */
export function wallTimeOf(time: Date, timeZone: string): Date {
  return new Date(time.getTime() + offsetMs(time.getTime(), timeZone))
}

/**
 * When the clock of a zone first shows a wall time. A time that it leaves out, because the clock is put forward, is the first one after the
 * gap. Two changes of the clock lie more than two days apart in every zone.
 */
export function firstInstantOf(wallTime: Date, timeZone: string): Date {
  const wallMs = wallTime.getTime()
  const before = offsetMs(wallMs - dayMs, timeZone)
  const after = offsetMs(wallMs + dayMs, timeZone)
  for (const candidate of [wallMs - before, wallMs - after]) {
    if (candidate + offsetMs(candidate, timeZone) === wallMs) return new Date(candidate)
  }
  return changeBetween(wallMs - after, wallMs - before, timeZone)
}

export function isTimeZone(name: string): boolean {
  try {
    // An offset such as +02:00 is no zone in every version of Node.
    return /^[A-Za-z]/.test(name) && formatOf(name).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

const dayMs = 24 * 3_600_000

/** By how much the clock of a zone is ahead of UTC. */
function offsetMs(timeMs: number, timeZone: string): number {
  const parts = formatOf(timeZone).formatToParts(timeMs)
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = fields.map((field) =>
    Number(parts.find(({ type }) => type === field)?.value),
  )
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(timeMs / 1000) * 1000
}

const fields = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const

/** To make one takes about as long as to use it fifty times. */
const formats = new Map<string, Intl.DateTimeFormat>()
/** Callers may write a zone in many letter cases. */
const mostFormats = 1000

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  if (formats.size >= mostFormats) formats.clear()
  formats.set(timeZone, made)
  return made
}

/** When the clock is changed, between a time before that and one after it. */
function changeBetween(beforeMs: number, afterMs: number, timeZone: string): Date {
  const offsetBefore = offsetMs(beforeMs, timeZone)
  let [before, after] = [beforeMs, afterMs]
  while (after - before > 1000) {
    const middle = Math.floor((before + after) / 2000) * 1000
    if (offsetMs(middle, timeZone) === offsetBefore) before = middle
    else after = middle
  }
  return new Date(after)
}
