import * as common from '@grafana/grafana-foundation-sdk/common'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries'

/** The datasource that the reader chooses at the top of the dashboard. */
export const datasource = { type: 'prometheus', uid: '$datasource' } as const

interface Query {
  readonly expr: string
  /** Labels as `{{code}}`. */
  readonly legend: string
}

/** One picture. */
export interface PanelSpec {
  /** A number as it is now, or lines over time. */
  readonly kind: 'stat' | 'lines'
  readonly title: string
  /** What it shows, and what a reader should do with it. */
  readonly description: string
  /** The unit as Grafana names it: https://grafana.com/docs, "Standard options". */
  readonly unit: string
  readonly queries: readonly Query[]
  /** From here on it is red, as in the alert of the same subject. */
  readonly redFrom?: number
  /** Below this it is red. */
  readonly redBelow?: number
  readonly isStacked?: boolean
}

/** Of the 24 columns of a dashboard. */
const width = { stat: 4, lines: 8 } as const
const height = { stat: 4, lines: 8 } as const

const letters = 'ABCDEFGHIJ'

export function buildPanel(spec: PanelSpec): { build(): Panel } {
  const builder = spec.kind === 'stat' ? statBuilder(spec) : linesBuilder(spec)
  builder
    .title(spec.title)
    .description(spec.description)
    .unit(spec.unit)
    .datasource(datasource)
    .thresholds(thresholdsOf(spec))
    .span(width[spec.kind])
    .height(height[spec.kind])
  for (const [index, { expr, legend }] of spec.queries.entries()) {
    const query = new DataqueryBuilder()
      .refId(letters[index] ?? '')
      .expr(expr)
      .legendFormat(legend)
      .datasource(datasource)
    builder.withTarget(spec.kind === 'stat' ? query.instant() : query.range())
  }
  return builder
}

function statBuilder({ queries }: PanelSpec): StatBuilder {
  const builder = new StatBuilder().reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
  // Grafana leaves out the name of a number that is alone.
  if (queries.some(({ legend }) => legend.includes('{{'))) builder.textMode(common.BigValueTextMode.ValueAndName)
  return builder
}

function linesBuilder({ isStacked = false, redFrom, redBelow }: PanelSpec): TimeseriesBuilder {
  const builder = new TimeseriesBuilder()
    .lineWidth(1)
    .axisSoftMin(0)
    .fillOpacity(isStacked ? 30 : 0)
    .showPoints(common.VisibilityMode.Never)
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending),
    )
  if (isStacked) builder.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal))
  if (redFrom !== undefined || redBelow !== undefined) {
    builder.thresholdsStyle(new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Line))
  }
  return builder
}

function thresholdsOf({ kind, redFrom, redBelow }: PanelSpec): ThresholdsConfigBuilder {
  // Among lines a step is a line of its colour, and colours nothing else.
  const redStep = redFrom ?? (kind === 'lines' ? redBelow : undefined)
  const steps =
    redBelow === undefined || kind === 'lines'
      ? [{ value: null, color: 'green' }, ...(redStep === undefined ? [] : [{ value: redStep, color: 'red' }])]
      : [
          { value: null, color: 'red' },
          { value: redBelow, color: 'green' },
        ]
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps)
}
