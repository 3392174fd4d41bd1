import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { catalogue, eventMetrics } from '@muster/runtime'
import { expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { metricsIn, problemsOf } from '../promql.ts'
import { manifests } from './documents.ts'

const scaledObject = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ triggers: z.array(z.object({ metadata: z.object({ query: z.string() }) })) }),
})
const text = readFileSync(join(manifests, 'components', 'keda-prometheus', 'triggers.yaml'), 'utf8')
const queries = parseAllDocuments(text).flatMap((each) => {
  const { metadata, spec } = scaledObject.parse(each.toJS())
  return spec.triggers.map((trigger) => ({ name: metadata.name, query: trigger.metadata.query }))
})

it.each(queries)(
  'keda-prometheus, $name: the query is PromQL, and asks only for metrics that the hub has',
  ({ query }) => {
    const known = Object.keys({ ...catalogue, ...eventMetrics() })

    expect(problemsOf(query)).toEqual([])
    expect(metricsIn(query)).not.toEqual([])
    expect(metricsIn(query).filter((metric) => !known.includes(metric))).toEqual([])
  },
)
