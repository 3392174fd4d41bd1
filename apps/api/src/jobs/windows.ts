import { clip, HubError, type JobRequest, type Window, windowStateAt, zonePathOf } from '@muster/contract'

/**
 * Refuses windows in which a job could never start an attempt. The zones of devices are not known yet: a window that takes them from a tag
 * opens in time if it does so in any zone that there may be.
 * @throws HubError ArgumentInvalid
 */
export function checkWindows(
  {
    body,
    startTime,
    maxExecutionTimeInSeconds,
    extensions: { windows } = {},
  }: Pick<JobRequest, 'body' | 'startTime' | 'maxExecutionTimeInSeconds' | 'extensions'>,
  now: Date,
): void {
  if (windows === undefined) return
  const responseSeconds = Number(body.responseTimeoutInSeconds ?? 0)
  for (const [index, window] of windows.entries()) checkLength(window, index, responseSeconds)

  const from = startTime !== null && startTime > now ? startTime : now
  const deadline = new Date(from.getTime() + maxExecutionTimeInSeconds * 1000)
  const span = { from, deadline, responseMs: responseSeconds * 1000 }
  const late = windows.map((window, index) => lateOpening(window, index, span)).filter((opening) => opening !== null)
  if (late.length < windows.length) return
  const first = new Date(Math.min(...late.map((opening) => opening.getTime())))
  const earlier = windows.some(isOfDevices) ? ', up to 14 hours earlier in the zone of a device' : ''
  throw new HubError('ArgumentInvalid', {
    message: `windows must open before the job ends at ${deadline.toISOString()}, by its maxExecutionTimeInSeconds; the first opens at ${first.toISOString()}${earlier}`,
  })
}

interface Span {
  readonly from: Date
  readonly deadline: Date
  readonly responseMs: number
}

/** No zone is further from UTC, on either side. */
const zoneMs = 14 * 3_600_000

/** When a window opens for the first time, if that is after the span. Null: it is open at some time of it. */
function lateOpening(window: Window, index: number, { from, deadline, responseMs }: Span): Date | null {
  const slackMs = isOfDevices(window) ? zoneMs : 0
  const asker = { zone: 'UTC', responseMs }
  const { isOpen, until } = windowStateAt([window], asker, new Date(from.getTime() - slackMs))
  if (until === null) {
    throw new HubError('ArgumentInvalid', {
      message: `windows.${index}.cron must come at some time; this one never does, got "${clip(window.cron)}"`,
    })
  }
  return isOpen || until.getTime() < deadline.getTime() + slackMs ? null : until
}

function isOfDevices(window: Window): boolean {
  return zonePathOf(window) !== null
}

function checkLength({ durationMinutes, strictEnd }: Window, index: number, responseSeconds: number): void {
  if (!strictEnd || responseSeconds < durationMinutes * 60) return
  throw new HubError('ArgumentInvalid', {
    message: `windows.${index}.durationMinutes must be longer than the response timeout of ${responseSeconds} s, because of strictEnd, got ${durationMinutes}`,
  })
}
