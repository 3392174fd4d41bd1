import type { Span, Tracing } from '@muster/runtime'
import type { RunningJob } from '@muster/store'

/**
 * The first chunks of a job are in its trace. What is claimed after them begins a trace of its own, linked to that of the job, because
 * nobody could read a trace of a million devices, and no store of traces takes it.
 */
const chunksInTrace = 10

interface Work {
  readonly name: 'run chunk' | 'run due device jobs'
  /** Null: device jobs of several chunks, or nobody knows which. */
  readonly chunkNo: number | null
  readonly deviceCount: number
  readonly startedAt: Date
}

/** A span for work that was claimed a moment ago. */
export function beginWorkSpan(
  tracing: Tracing,
  job: RunningJob,
  { name, chunkNo, deviceCount, startedAt }: Work,
): Span {
  const isInTrace = chunkNo !== null && chunkNo < chunksInTrace
  const span = tracing.begin(name, {
    kind: 'consumer',
    parent: isInTrace ? job.traceparent : null,
    startedAt,
    attributes: {
      'muster.job.id': job.jobId,
      'muster.job.type': job.type,
      'muster.device.count': deviceCount,
      ...(chunkNo === null ? {} : { 'muster.chunk.no': chunkNo }),
    },
  })
  if (!isInTrace) span.linkTo(job.traceparent)
  return span
}

/** The same, for calls to come. Its first part is the claim itself. */
export function beginClaimSpan(tracing: Tracing, job: RunningJob, work: Work): Span {
  const span = beginWorkSpan(tracing, job, work)
  tracing.begin('claim', { kind: 'internal', parent: span.traceparent, startedAt: work.startedAt }).end()
  return span
}
