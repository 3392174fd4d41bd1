import { cronTimeAfter } from './cron.ts'

/** Times at which a job may start attempts. */
export interface Window {
  /** When it opens. */
  readonly cron: string
  /** How long it is open. */
  readonly durationMinutes: number
  /** A zone, or the path of a tag that names the zone of each device, such as `tags.timeZone`. Absent: UTC. */
  readonly timeZone?: string
  /** No attempt starts whose response timeout would end after it. */
  readonly strictEnd?: boolean
}

export interface WindowState {
  readonly isOpen: boolean
  /** Open: attempts may start before this time. Closed: when they may start again; null: never. */
  readonly until: Date | null
}

/** Of whom the windows are asked: the zone of the devices, and how long the answer of one may take. */
export interface WindowAsker {
  readonly zone: string
  readonly responseMs: number
}

/** Whether a time lies in one of several windows. */
export function windowStateAt(windows: readonly Window[], asker: WindowAsker, time: Date): WindowState {
  const states = windows.map((window) => stateOf(window, asker, time))
  const open = states.filter(({ isOpen }) => isOpen)
  const untilMs = (open.length > 0 ? open : states).flatMap(({ until }) => (until === null ? [] : [until.getTime()]))
  if (untilMs.length === 0) return { isOpen: false, until: null }
  return { isOpen: open.length > 0, until: new Date(open.length > 0 ? Math.max(...untilMs) : Math.min(...untilMs)) }
}

/** The members on the path of a tag that names the zone of a device. Null: the zone is none of a device. */
export function zonePathOf({ timeZone = '' }: Pick<Window, 'timeZone'>): readonly string[] | null {
  return timeZone.startsWith('tags.') ? timeZone.split('.').slice(1) : null
}

interface Known extends WindowState {
  readonly sinceMs: number
}

/** What a claim asks again and again, and takes some calendar to find out. */
const known = new Map<string, Known>()
const mostKnown = 10_000

function stateOf(window: Window, { zone, responseMs }: WindowAsker, time: Date): WindowState {
  const { cron, durationMinutes, timeZone = 'UTC', strictEnd = false } = window
  const openMs = durationMinutes * 60_000 - (strictEnd ? responseMs : 0)
  const timeZoneUsed = zonePathOf(window) === null ? timeZone : zone
  const key = `${cron} ${openMs} ${timeZoneUsed}`
  const last = known.get(key)
  if (last !== undefined && time.getTime() >= last.sinceMs && (last.until === null || time < last.until)) return last
  const state = { ...findState({ cron, openMs, timeZone: timeZoneUsed }, time), sinceMs: time.getTime() }
  if (known.size >= mostKnown) known.clear()
  known.set(key, state)
  return state
}

interface Opening {
  readonly cron: string
  readonly openMs: number
  readonly timeZone: string
}

function findState(opening: Opening, time: Date): WindowState {
  const { cron, openMs, timeZone } = opening
  if (openMs <= 0) return { isOpen: false, until: null }
  const first = cronTimeAfter(cron, timeZone, new Date(time.getTime() - openMs))
  if (first === null || first > time) return { isOpen: false, until: first }
  return { isOpen: true, until: new Date(lastOpening(opening, first, time).getTime() + openMs) }
}

/** The last one until a time, of which an earlier one is given. Halves the span, because a window may open 1430 times while it is open. */
function lastOpening({ cron, timeZone }: Opening, earlier: Date, time: Date): Date {
  let last = earlier
  let end = time
  while (end.getTime() - last.getTime() > 60_000) {
    const middle = new Date((last.getTime() + end.getTime()) / 2)
    const next = cronTimeAfter(cron, timeZone, middle)
    if (next !== null && next <= time) last = next
    else end = middle
  }
  const next = cronTimeAfter(cron, timeZone, last)
  return next !== null && next <= time ? next : last
}
