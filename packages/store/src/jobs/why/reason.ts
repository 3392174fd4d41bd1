/** What holds a job or a device back, from the code that decides it. */
export const reasonCodes = [
  'ended',
  'paused',
  'startTime',
  'startFailed',
  'place',
  'stage',
  'window',
  'held',
  'rate',
  'inFlight',
  'chunkFailed',
  'connection',
  'retry',
  'running',
  'ready',
  'joins',
] as const
export type ReasonCode = (typeof reasonCodes)[number]

export interface Reason {
  readonly code: ReasonCode
  /** A sentence with the numbers. */
  readonly text: string
  /** When it is looked at again, or ends by itself. Null: nobody knows. */
  readonly until: Date | null
  /** Devices that it concerns. Null: the job as a whole, or one device. */
  readonly deviceCount: number | null
}

/** A reason of the job as a whole, unless a count is given. */
export function reason(
  code: ReasonCode,
  text: string,
  { until = null, deviceCount = null }: { readonly until?: Date | null; readonly deviceCount?: number | null } = {},
): Reason {
  return { code, text, until, deviceCount }
}
