import { HubError, type JobRequest, type Window, windowStateAt, zonePathOf } from '@muster/contract'

/**
 * Refuses windows in which a job could never start an attempt. The zones of devices are not known yet: windows that take them from a tag
 * may open.
 * @throws HubError ArgumentInvalid
 */
export function checkWindows(
  { body, startTime, maxExecutionTimeInSeconds, extensions: { windows } = {} }: JobRequest,
  now: Date,
): void {
  if (windows === undefined) return
  const responseSeconds = Number(body.responseTimeoutInSeconds ?? 0)
  for (const [index, window] of windows.entries()) checkLength(window, index, responseSeconds)
  if (windows.some((window) => zonePathOf(window) !== null)) return

  const from = startTime !== null && startTime > now ? startTime : now
  const deadline = new Date(from.getTime() + maxExecutionTimeInSeconds * 1000)
  const { isOpen, until } = windowStateAt(windows, { zone: 'UTC', responseMs: responseSeconds * 1000 }, from)
  if (isOpen || (until !== null && until < deadline)) return
  const opening = until === null ? 'they never open' : `the first opens at ${until.toISOString()}`
  throw new HubError('ArgumentInvalid', {
    message: `windows must open before the job ends at ${deadline.toISOString()}, by its maxExecutionTimeInSeconds; ${opening}`,
  })
}

function checkLength({ durationMinutes, strictEnd }: Window, index: number, responseSeconds: number): void {
  if (!strictEnd || responseSeconds < durationMinutes * 60) return
  throw new HubError('ArgumentInvalid', {
    message: `windows.${index}.durationMinutes must be longer than the response timeout of ${responseSeconds} s, because of strictEnd, got ${durationMinutes}`,
  })
}
