import { catalogue, eventMetrics, nodeMetricsOnDemand, openEvents, openLog, openMetrics } from '@muster/runtime'
import { expect, it } from 'vitest'
import { eventsPage } from './events-page.ts'
import { type ExposedMetric, exposedMetrics } from './exposed-metrics.ts'
import { metricUses } from './metric-uses.ts'
import { metricsPage } from './metrics-page.ts'

const declared = { ...catalogue, ...eventMetrics() }

async function shownBy(roles: Parameters<typeof openMetrics>[1]): Promise<ReadonlyMap<string, ExposedMetric>> {
  const metrics = openMetrics('1.2.3', roles)
  openEvents({ log: openLog('silent'), metrics })
  return exposedMetrics((await metrics.scrape((error) => expect.fail(String(error)))).text)
}

/** What the client library adds. */
async function nodeNames(): Promise<string[]> {
  return [...(await shownBy(['dispatcher'])).keys()].filter((name) => !(name in declared)).toSorted()
}

it('docs/metrics.md says what the declarations say', async () => {
  await expect(metricsPage(await nodeNames(), metricUses())).toMatchFileSnapshot('../../../../docs/metrics.md')
})

it('every metric is read by a dashboard, an alert or an autoscaler, or else is marked as on demand', async () => {
  const uses = new Set(Object.values(metricUses()).flatMap((names: ReadonlySet<string>) => [...names]))
  const onDemand = new Map<string, string | null>([
    ...Object.entries(declared).map(([name, { onDemand }]) => [name, onDemand] as const),
    ...nodeMetricsOnDemand,
  ])
  const all = [...Object.keys(declared), ...(await nodeNames())]

  const isMarked = (name: string) => typeof onDemand.get(name) === 'string'

  expect(all.filter((name) => !uses.has(name) && !isMarked(name))).toEqual([])
  expect(all.filter((name) => uses.has(name) && isMarked(name))).toEqual([])
  expect([...onDemand.keys(), ...uses].filter((name) => !all.includes(name))).toEqual([])
})

it('docs/events.md says what the list of events says', async () => {
  await expect(eventsPage()).toMatchFileSnapshot('../../../../docs/events.md')
})

it('a process with the dispatcher shows every metric, by its declared type and help', async () => {
  const shown = await shownBy(['api', 'dispatcher', 'worker', 'gateway'])

  for (const [name, { kind, help }] of Object.entries(declared)) expect(shown.get(name)).toMatchObject({ kind, help })
})

it('a process without the dispatcher shows none of the hub as a whole', async () => {
  const shown = await shownBy(['api', 'worker', 'gateway'])

  expect([...shown.keys()].filter((name) => name.startsWith('muster_')).toSorted()).toEqual(
    Object.entries(declared)
      .flatMap(([name, { scope }]) => (scope === 'process' ? [name] : []))
      .toSorted(),
  )
})

it('the name of a metric has the prefix of the product and the unit of its kind', () => {
  for (const [name, { kind }] of Object.entries(declared)) {
    expect(name).toMatch(/^muster_[a-z_]+$/)
    expect(name.endsWith('_total')).toBe(kind === 'counter')
  }
})

it('no label is an id', () => {
  const labels = Object.values(declared).flatMap(({ labels }) => Object.keys(labels))

  expect(labels.filter((label) => /id$|key|device|^job$|policy/i.test(label))).toEqual([])
})
