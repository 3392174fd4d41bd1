import type { CallOptions, Exchange } from '../exchange.ts'
import { jobBodyOf } from '../jobs.ts'
import { listOf, type PageOptions, type Pages } from '../pages.ts'
import type { Schedule, ScheduleDraft } from './schedule-wire.ts'

export interface Schedules {
  /** Creates or replaces it. Jobs that it has made stay as they are. */
  put(id: string, draft: ScheduleDraft, options?: CallOptions): Promise<Schedule>
  /** @throws MusterError when there is no such schedule, as `delete` */
  get(id: string, options?: CallOptions): Promise<Schedule>
  list(options?: PageOptions): Pages<Schedule>
  /** The jobs that it has made go on. */
  delete(id: string, options?: CallOptions): Promise<void>
}

export function createSchedules(exchange: Exchange): Schedules {
  const pathOf = (id: string) => `/schedules/${encodeURIComponent(id)}`
  return {
    put: (id, draft, options) => {
      const body = { ...draft, job: jobBodyOf(draft.job) }
      return exchange.read({ method: 'PUT', path: pathOf(id), body, isSafe: false, ...options })
    },
    get: (id, options) => exchange.read({ method: 'GET', path: pathOf(id), isSafe: true, ...options }),
    list: (options) => listOf(exchange, { method: 'GET', path: '/schedules', isSafe: true }, options),
    delete: async (id, options) =>
      void (await exchange.read({ method: 'DELETE', path: pathOf(id), isSafe: false, ...options })),
  }
}
