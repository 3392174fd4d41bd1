/** An id that a caller gives to the operator, who finds it in the log: `<32 hex digits>-G:0-TimeStamp:<MM/dd/yyyy HH:mm:ss>`. */
export function trackingIdOf(requestId: string, now: Date): string {
  const [, year, month, day, time] = /^(.+)-(..)-(..)T(.{8})/.exec(now.toISOString()) ?? []
  return `${requestId.replaceAll('-', '')}-G:0-TimeStamp:${month}/${day}/${year} ${time}`
}
