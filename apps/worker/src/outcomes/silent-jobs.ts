import type { JobKey } from '@muster/contract'

/** How long a job counts after its last device that did not answer. */
const memoryMs = 5 * 60_000
/** More are not counted: an alert needs three. */
const countMax = 1_000

/** The jobs of which a device did not answer lately. Of one, its devices may be broken; of many, rather the hub. */
export interface SilentJobs {
  note(key: JobKey): void
  count(): number
}

/** `nowMs` is a clock that never goes back. */
export function createSilentJobs({ nowMs = () => performance.now() } = {}): SilentJobs {
  const noted = new Map<JobKey, number>()
  const forget = () => {
    for (const [key, atMs] of noted) if (atMs < nowMs() - memoryMs) noted.delete(key)
  }
  return {
    note(key) {
      if (noted.size >= countMax) forget()
      if (noted.size < countMax || noted.has(key)) noted.set(key, nowMs())
    },
    count() {
      forget()
      return noted.size
    },
  }
}
