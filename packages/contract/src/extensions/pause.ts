import { z } from 'zod'

/** After so many seconds a pause cancels its job: 1 second to 30 days. */
export const pauseTimeoutSchema = z
  .int()
  .min(1)
  .max(30 * 86_400)

/** Why somebody does something, for people: 1 to 512 characters. */
export const reasonSchema = z
  .string()
  .min(1)
  .max(512)
  // The only character that Postgres accepts in no text.
  .refine((text) => !text.includes('\u0000'), 'without U+0000')

/** The body of a pause. */
export const pauseBodySchema = z.object({
  reason: reasonSchema.exactOptional(),
  pauseTimeoutSeconds: pauseTimeoutSchema.exactOptional(),
})
