import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { catalogue, eventMetrics } from '@muster/runtime'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { readDashboards } from '../pictures/dashboard-files.ts'

const deployFolder = join(import.meta.dirname, '..', '..', '..', '..', 'deploy')
const histograms = new Set(
  Object.entries({ ...catalogue, ...eventMetrics() }).flatMap(([name, { kind }]) => (kind === 'histogram' ? name : [])),
)

/** Where something in `deploy` reads metrics, and which. Names that the hub does not have are among them. */
export interface MetricUses {
  readonly dashboard: ReadonlySet<string>
  readonly alert: ReadonlySet<string>
  readonly autoscaler: ReadonlySet<string>
}

export function metricUses(): MetricUses {
  return {
    dashboard: new Set(dashboardQueries().flatMap(metricsIn)),
    alert: new Set(alertQueries().flatMap(metricsIn)),
    autoscaler: new Set([...autoscalerQueries().values()].flatMap(metricsIn)),
  }
}

function dashboardQueries(): string[] {
  return readDashboards().flatMap(({ panels, annotations }) =>
    [...panels.flatMap(({ targets }) => targets), ...annotations.list].map(({ expr }) => expr),
  )
}

const rule = z.object({ alert: z.string().optional(), record: z.string().optional(), expr: z.string() })
const ruleFile = z.object({ groups: z.array(z.object({ rules: z.array(rule) })) })

/** Those of recorded series count for the alerts that ask for these. */
function alertQueries(): string[] {
  const rules = filesOf('prometheus', 'rules').flatMap((text) =>
    ruleFile.parse(parse(text)).groups.flatMap((group) => group.rules),
  )
  const alerts = rules.flatMap(({ alert, expr }) => (alert === undefined ? [] : expr))
  const recorded = rules.flatMap(({ record, expr }) =>
    record !== undefined && alerts.some((asked) => asked.includes(record)) ? expr : [],
  )
  return [...alerts, ...recorded]
}

const scaledObject = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ triggers: z.tuple([z.object({ metadata: z.object({ query: z.string() }) })]) }),
})

/** By the name of what is scaled. */
export function autoscalerQueries(): ReadonlyMap<string, string> {
  const text = readFileSync(join(deployFolder, 'kubernetes', 'components', 'keda-prometheus', 'triggers.yaml'), 'utf8')
  return new Map(
    parseAllDocuments(text).map((each) => {
      const { metadata, spec } = scaledObject.parse(each.toJS())
      return [metadata.name, spec.triggers[0].metadata.query]
    }),
  )
}

function filesOf(...folder: readonly string[]): string[] {
  const path = join(deployFolder, ...folder)
  return readdirSync(path).map((file) => readFileSync(join(path, file), 'utf8'))
}

/** The metrics that a query names, those of a histogram by its own name. Every metric of a process begins with one of three words. */
function metricsIn(expr: string): string[] {
  return [...expr.matchAll(/\b(?:muster|nodejs|process)_\w+/g)].map(([name]) => {
    const whole = name.replace(/_(bucket|sum|count)$/, '')
    return histograms.has(whole) ? whole : name
  })
}
