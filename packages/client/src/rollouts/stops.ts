import type { CallOptions, Exchange } from '../exchange.ts'
import type { Stop, StopRequest } from './wire.ts'

export interface Stops {
  /** Pauses many jobs at once. Answers when it is known which calls were handed over, or after 4 s. */
  create(request?: StopRequest, options?: CallOptions): Promise<Stop>
  /** @throws MusterError GenericNotFound, as the other below */
  get(stopId: string, options?: CallOptions): Promise<Stop>
  /** Resumes the jobs that are still paused by it. */
  resume(stopId: string, options?: CallOptions): Promise<Stop>
}

export function createStops(exchange: Exchange): Stops {
  const pathOf = (stopId: string) => `/jobs/v2/stops/${encodeURIComponent(stopId)}`
  return {
    create: (request = {}, options) =>
      exchange.read({ method: 'POST', path: '/jobs/v2/stop', body: request, isSafe: false, ...options }),
    get: (stopId, options) => exchange.read({ method: 'GET', path: pathOf(stopId), isSafe: true, ...options }),
    resume: (stopId, options) =>
      exchange.read({ method: 'POST', path: `${pathOf(stopId)}/resume`, isSafe: false, ...options }),
  }
}
