import { z } from 'zod'
import { ratesShape } from './rates.ts'

/** How a job reaches its devices. */
export const rolloutSchema = z.object({ ...ratesShape })
