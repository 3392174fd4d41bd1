import type { Span, Tracing } from '@muster/runtime'
import type { RunningJob } from '@muster/store'

/**
 * The first chunks of a job are in its trace. What is claimed after them begins a trace of its own, linked to that of the job, because
 * nobody could read a trace of a million devices, and no store of traces takes it.
 */
const chunksInTrace = 10

/** `chunkNo` null: device jobs of several chunks. */
export function beginClaimSpan(
  tracing: Tracing,
  job: RunningJob,
  { chunkNo, deviceCount, startedAt }: { chunkNo: number | null; deviceCount: number; startedAt: Date },
): Span {
  const isInTrace = chunkNo !== null && chunkNo < chunksInTrace
  const span = tracing.begin(chunkNo === null ? 'run due device jobs' : 'run chunk', {
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
  tracing.begin('claim', { kind: 'internal', parent: span.traceparent, startedAt }).end()
  return span
}
