/** "Never" on the wire. */
export const never = '0001-01-01T00:00:00Z'

const isoPattern = /^\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s*([Zz]|[+-]\d{2}:?\d{2})?)?$/

/** ISO 8601 with 0 to 9 fraction digits; no zone means UTC. Null when the text is no such time. */
export function parseInstant(text: string): Date | null {
  const trimmed = text.trim()
  if (!isoPattern.test(trimmed)) return null
  const hasZone = /([Zz]|[+-]\d{2}:?\d{2})$/.test(trimmed.slice(10))
  if (!isDay(trimmed.slice(0, 10))) return null
  const time = Date.parse(
    trimmed.length === 10 || hasZone ? trimmed.replace(' ', 'T') : `${trimmed.replace(' ', 'T')}Z`,
  )
  return Number.isNaN(time) ? null : new Date(time)
}

/** UTC with a trailing Z, the only form that every SDK parses. */
export function formatInstant(time: Date | null): string {
  return time === null ? never : time.toISOString()
}

/** Whether the calendar has this day, such as 2026-01-31. JavaScript reads February 30 as March 2. */
export function isDay(day: string): boolean {
  const time = Date.parse(`${day}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day)
}
