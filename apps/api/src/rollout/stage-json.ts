import { z } from '@hono/zod-openapi'
import { formatInstant, type JsonObject } from '@muster/contract'
import type { Stage } from '@muster/store'
import { jobSchema } from '../http/schemas.ts'

const time = z.string().openapi({ format: 'date-time' })
const gateStates = ['devices', 'failed', 'soak', 'approval', 'free'] as const

export const stagesSchema = z
  .object({
    items: z
      .object({
        stageNo: z.int().min(0),
        status: z.enum(['waiting', 'open', 'closed']),
        openedTime: time.optional(),
        closedTime: time.optional().openapi({ description: 'When the next one opened, or the job ended' }),
        reason: z.string().optional().openapi({ description: 'Why it opened; absent: with the start of the job' }),
        waitsFor: z
          .object({
            kind: z.enum(gateStates).openapi({
              description: 'failed: the gate cannot open by itself; free: it opens within about a second',
            }),
            text: z.string().openapi({ description: 'With exact numbers' }),
            untilTime: time.optional().openapi({ description: 'The end of the soak' }),
          })
          .optional()
          .openapi({ description: 'What the next stage waits for' }),
        deviceJobStatistics: jobSchema.shape.deviceJobStatistics.unwrap(),
      })
      .array(),
  })
  .openapi('JobStages')

export function stagesJson(stages: readonly Stage[]): JsonObject {
  return { items: stages.map(stageJson) }
}

function stageJson({ stageNo, status, openedAt, closedAt, reason, waitsFor, statistics }: Stage): JsonObject {
  return {
    stageNo,
    status,
    ...(openedAt === null ? {} : { openedTime: formatInstant(openedAt) }),
    ...(closedAt === null ? {} : { closedTime: formatInstant(closedAt) }),
    ...(reason === null ? {} : { reason }),
    ...(waitsFor === null
      ? {}
      : {
          waitsFor: {
            kind: waitsFor.kind,
            text: waitsFor.text,
            ...(waitsFor.kind === 'soak' ? { untilTime: formatInstant(waitsFor.until) } : {}),
          },
        }),
    deviceJobStatistics: { ...statistics },
  }
}
