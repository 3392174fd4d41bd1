import { api } from './api.ts'
import { buildDashboard, type DashboardSpec } from './dashboard.ts'
import { gateway } from './gateway.ts'
import { jobs } from './jobs.ts'
import { overview } from './overview.ts'
import { stores } from './stores.ts'

/** In the order in which an operator looks at them. */
export const dashboards: readonly DashboardSpec[] = [overview, jobs, gateway, api, stores]

/** The file for Grafana, as it is committed. */
export function fileOf(spec: DashboardSpec): string {
  return `${JSON.stringify(buildDashboard(spec), null, 2)}\n`
}
