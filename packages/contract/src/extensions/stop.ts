import { z } from 'zod'
import { reasonSchema } from './pause.ts'

/** The body of a stop of many jobs. Absent: jobs of any type, of any id, without a reason. */
export const stopBodySchema = z.object({
  reason: reasonSchema.exactOptional(),
  type: z.string().exactOptional(),
  jobIdPrefix: z
    .string()
    .min(1)
    .max(64)
    .refine((text) => !text.includes('\u0000'), 'without U+0000')
    .exactOptional(),
})
