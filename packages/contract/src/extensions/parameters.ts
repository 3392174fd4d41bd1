import { z } from 'zod'

/** With it, `${...}` in the payload or the patch of a job stands for a value of each device. Without it, that is text like any other. */
export const parametersSchema = z.object({
  /** What follows where a twin has no such value. */
  onMissing: z.enum(['fail', 'null', 'skip']).exactOptional(),
})
