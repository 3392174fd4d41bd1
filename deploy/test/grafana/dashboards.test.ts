import { catalogue, eventMetrics } from '@muster/runtime'
import { describe, expect, it } from 'vitest'
import type { DashboardSpec } from '../../grafana/src/dashboard.ts'
import { dashboards, fileOf } from '../../grafana/src/dashboards.ts'
import { metricsIn, problemsOf } from '../promql.ts'

const panels = dashboards.flatMap(({ uid, rows }) =>
  rows.flatMap((row) => row.panels.map((panel) => ({ name: `${uid}: ${panel.title}`, panel }))),
)
const expressions = panels.flatMap(({ name, panel }) => panel.queries.map(({ expr }) => ({ name, expr })))

describe('the dashboards', () => {
  it.each(dashboards)('$uid: the file is what the code makes', async (spec) => {
    await expect(fileOf(spec)).toMatchFileSnapshot(`../../grafana/dashboards/${spec.uid}.json`)
  })

  it('have a title, a description and a unit on every panel, and titles that differ', () => {
    for (const { name, panel } of panels) {
      expect(panel.description, name).toMatch(/\.$/)
      expect(panel.unit, name).not.toBe('')
      expect(panel.queries.length, name).toBeGreaterThan(0)
    }
    for (const spec of dashboards) expect(new Set(titlesOf(spec)).size).toBe(titlesOf(spec).length)
  })

  it('name no datasource but the one that the reader chooses', () => {
    for (const spec of dashboards) {
      const uids = [...fileOf(spec).matchAll(/"uid": "([^"]*)"/g)].map(([, uid]) => uid)
      expect(new Set(uids)).toEqual(new Set([spec.uid, '$datasource']))
    }
  })

  it.each(expressions)('$name: the query is PromQL by the rules', ({ expr }) => {
    expect(problemsOf(expr)).toEqual([])
  })

  it('ask only for metrics that the hub has', () => {
    const known = new Set([...Object.keys(catalogue), ...Object.keys(eventMetrics())])
    for (const { name, expr } of expressions) {
      const unknown = metricsIn(expr).filter((metric) => metric.startsWith('muster_') && !known.has(metric))
      expect(unknown, name).toEqual([])
    }
  })
})

function titlesOf({ rows }: DashboardSpec): string[] {
  return rows.flatMap(({ panels }) => panels.map(({ title }) => title))
}
