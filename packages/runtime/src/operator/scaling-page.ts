import type { HubLoad } from '@muster/store'
import pTimeout from 'p-timeout'
import { sharedReading } from './shared-reading.ts'
import { type WorkerCapacity, workersNeeded } from './workers-needed.ts'

/** However often it is asked, a process reads the load from Postgres once in this time. */
const keptMs = 2_000
/** An autoscaler waits three seconds for its answer. */
const answerMs = 2_000

/**
 * How many units of work there are for each role, for an autoscaler: `worker` in workers, `gateway` in connections of the hub, `api` in
 * requests that this process is answering. 503 when Postgres does not tell: who scales must then leave everything as it is.
 */
export function scalingPage(options: {
  readonly readLoad: () => Promise<HubLoad>
  readonly capacity: WorkerCapacity
  readonly requestsInFlight: () => number
  readonly onFailure: (error: unknown) => void
}): () => Promise<Response> {
  const { capacity, requestsInFlight, onFailure } = options
  const load = sharedReading(keptMs, async () => {
    try {
      return await options.readLoad()
    } catch (error) {
      onFailure(error)
      throw error
    }
  })
  return async () => {
    const found = await pTimeout(load(), { milliseconds: answerMs }).catch(() => null)
    if (found === null)
      return Response.json({ error: 'the load is not known: Postgres does not tell' }, { status: 503 })
    return Response.json({
      worker: Number(workersNeeded(found, capacity).toFixed(3)),
      gateway: found.connections,
      api: requestsInFlight(),
    })
  }
}
