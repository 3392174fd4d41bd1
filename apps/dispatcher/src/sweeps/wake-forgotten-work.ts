import { findForgottenWork } from '@muster/store'
import type { DispatchHub } from '../dispatch-job.ts'
import type { Bound } from './bound.ts'

/** Wakes the workers for work that is ready. It counts nothing: the bus ignores a wake-up that is there already. */
export async function wakeForgottenWork({ db, bus, clock }: DispatchHub, bound: Bound): Promise<number> {
  for (const { key, kind, ...job } of await findForgottenWork(db, bound, clock.now())) {
    await (kind === 'chunks' ? bus.wakeChunks(key, job) : bus.wakeDue(key))
  }
  return 0
}
