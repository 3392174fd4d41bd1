import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const folder = join(import.meta.dirname, '..', '..', '..', '..', 'deploy', 'grafana', 'dashboards')

/** What the drawing and the tests read of a dashboard: each part as Grafana names it. */
const dashboard = z.object({
  uid: z.string(),
  title: z.string(),
  description: z.string(),
  annotations: z.object({ list: z.array(z.object({ expr: z.string() })) }),
  panels: z.array(
    z.object({
      type: z.enum(['row', 'stat', 'timeseries']),
      title: z.string(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
      fieldConfig: z
        .object({
          defaults: z.object({
            unit: z.string().default('none'),
            custom: z
              .object({
                stacking: z.object({ mode: z.string() }).optional(),
                thresholdsStyle: z.object({ mode: z.string() }).optional(),
              })
              .default({}),
            thresholds: z
              .object({ steps: z.array(z.object({ value: z.number().nullable(), color: z.string() })) })
              .default({ steps: [] }),
          }),
        })
        .default({ defaults: { unit: 'none', custom: {}, thresholds: { steps: [] } } }),
    }),
  ),
})

export type Dashboard = z.infer<typeof dashboard>
export type Panel = Dashboard['panels'][number]

export function readDashboards(): readonly Dashboard[] {
  return readdirSync(folder)
    .toSorted()
    .map((file) => dashboard.parse(JSON.parse(readFileSync(join(folder, file), 'utf8'))))
}
