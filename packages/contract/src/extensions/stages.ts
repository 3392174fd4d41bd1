import { z } from 'zod'
import { stageAbortSchema } from './abort.ts'
import { hundredthsOf, percentage } from './percentage.ts'

const mostSoakSeconds = 7 * 24 * 3600

const sizeRule = 'a percentage such as "5%", or a number of devices, at least 1'

/** A share of the frozen target set, or a number of devices. */
const size = z.union(
  [z.string().regex(/^\d{1,3}(\.\d{1,2})?%$/, { error: sizeRule }), z.int().min(1).max(100_000_000)],
  {
    error: sizeRule,
  },
)

const stageSchema = z
  .object({
    size: size.exactOptional(),
    condition: z.string().exactOptional(),
    successThreshold: percentage.exactOptional(),
    soakSeconds: z.int().min(0).max(mostSoakSeconds).exactOptional(),
    approval: z.literal('manual').exactOptional(),
    abort: stageAbortSchema.exactOptional(),
  })
  .superRefine((stage, context) => {
    const share = shareOf(stage)
    if (share !== null && (share === 0 || share > 100)) {
      context.addIssue({ code: 'custom', path: ['size'], message: 'more than 0 % and at most 100 %' })
    }
    if (stage.size !== undefined && stage.condition !== undefined) {
      context.addIssue({ code: 'custom', message: 'an object with size or condition, but not both' })
    }
  })

export type StageRequest = z.output<typeof stageSchema>

/** A share in percent; null for a stage that has none. */
export function shareOf({ size }: Pick<StageRequest, 'size'>): number | null {
  return typeof size === 'string' ? Number(size.slice(0, -1)) : null
}

const stagesSchema = z
  .array(stageSchema)
  .min(1)
  .max(100)
  .superRefine((stages, context) => {
    const sum = stages.reduce((hundredths, stage) => hundredths + hundredthsOf(shareOf(stage) ?? 0), 0)
    if (sum > 10_000) {
      context.addIssue({
        code: 'custom',
        message: `stages whose shares are at most 100 % together, not ${sum / 100} %`,
      })
    }
    for (const [no, stage] of stages.slice(0, -1).entries()) {
      if (stage.size === undefined && stage.condition === undefined) {
        context.addIssue({
          code: 'custom',
          path: [no],
          message: 'an object with size or condition: only the last stage takes the rest',
        })
      }
    }
  })

const orderRule = '"random", "id" or an object such as {"tag": "tags.floor"}'
const tagPath = z.string().regex(/^tags(\.[^.$\s\p{Cc}]+){1,10}$/u, { error: 'a path such as tags.building.floor' })

/** By which devices are taken into stages that have a size. */
const order = z.union([z.enum(['random', 'id']), z.strictObject({ tag: tagPath }, { error: orderRule })], {
  error: orderRule,
})

export type StageOrder = z.output<typeof order>

/** The parts of a target set, and the order in which devices go into them. */
export const stagesShape = {
  stages: stagesSchema.exactOptional(),
  order: order.exactOptional(),
}
