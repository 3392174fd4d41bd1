import {
  AnnotationQueryBuilder,
  ConstantVariableBuilder,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { buildPanel, datasource, type PanelSpec } from './panel.ts'

interface Row {
  readonly title: string
  readonly panels: readonly PanelSpec[]
}

export interface DashboardSpec {
  /** The name of its file, and its address in Grafana. */
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly rows: readonly Row[]
}

const tag = 'muster'

/** The dashboard with what all of them share: variables, links to the others and to the runbook, and marks for deployments and jobs. */
export function buildDashboard({ uid, title, description, rows }: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(`Muster: ${title}`)
    .uid(uid)
    .description(description)
    .tags([tag])
    .timezone('browser')
    .time({ from: 'now-3h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
    .withVariable(processVariable('component', 'label_values(muster_build_info, component)'))
    .withVariable(processVariable('instance', 'label_values(muster_build_info{component=~"$component"}, instance)'))
    // Where this hub's documents can be read. Whoever hosts them puts the address into the files before Grafana reads them.
    .withVariable(new ConstantVariableBuilder('docs').label('Documents').value('docs'))
    .annotation(
      mark(
        'Deployments',
        'blue',
        'count by (version) (muster_build_info) unless count by (version) (muster_build_info offset 1m)',
        'version {{version}}',
      ),
    )
    .annotation(
      mark(
        'Jobs that ended',
        'purple',
        'sum by (type, status) (increase(muster_job_ended_total[1m])) > 0',
        '{{type}} {{status}}',
      ),
    )
    .link(
      new DashboardLinkBuilder('Muster')
        .type(DashboardLinkType.Dashboards)
        .tags([tag])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .link(
      new DashboardLinkBuilder('Runbook')
        .type(DashboardLinkType.Link)
        .url('$docs/operations/runbook.md')
        .targetBlank(true),
    )
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title))
    for (const panel of row.panels) builder.withPanel(buildPanel(panel))
  }
  return builder.build()
}

function processVariable(name: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .datasource(datasource)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
}

function mark(name: string, color: string, expr: string, title: string): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(datasource)
    .enable(true)
    .iconColor(color)
    .expr(expr)
    .titleFormat(title)
}
