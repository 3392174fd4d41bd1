import { z } from 'zod'
import { beginsBelowEnd, endsRising, ratesShape } from './rates.ts'
import { stagesShape } from './stages.ts'

/** How a job reaches its devices. */
export const rolloutSchema = z
  .object({ ...ratesShape, ...stagesShape })
  .refine(endsRising.check, endsRising.rule)
  .refine(beginsBelowEnd.check, beginsBelowEnd.rule)
  .superRefine(({ stages, order }, context) => {
    if (order !== undefined && stages === undefined) {
      context.addIssue({ code: 'custom', path: ['order'], message: 'absent without rollout.stages' })
    }
  })
