import { z } from 'zod'

/** Which devices a job is for beside those that match when it starts. */
export const targetShape = {
  /** `continuous`: those that come to match while it runs, too. */
  targetSelection: z.enum(['snapshot', 'continuous']).exactOptional(),
  /** Of a continuous job, in all. */
  maxDevices: z.int().min(1).max(10_000_000).exactOptional(),
}
