import { describe, expect, it } from 'vitest'
import { podComplaints, releaseVersion } from './pod-rules.ts'
import { referenceComplaints } from './reference-rules.ts'
import { documentsOf, renderAll, renderedNames } from './rendered.ts'
import { schemaComplaints } from './schemas.ts'
import { workloadsOf } from './workloads.ts'

const rendered = await renderAll()

describe.skipIf('absent' in rendered)('the manifests for Kubernetes', () => {
  it('fit the schemas in every overlay and with every component, and have no field that these do not know', async () => {
    const all = renderedNames.flatMap((name) => documentsOf(rendered, name))

    expect(all.length).toBeGreaterThan(100)
    expect(await schemaComplaints(all)).toEqual([])
  })

  it.each(renderedNames)('%s: the pods are probed, bounded, confined, and of one release', (name) => {
    expect(workloadsOf(documentsOf(rendered, name)).length).toBeGreaterThan(4)
    expect(podComplaints(documentsOf(rendered, name), releaseVersion())).toEqual([])
  })

  it.each(renderedNames)('%s: what a document names is there', (name) => {
    expect(referenceComplaints(documentsOf(rendered, name))).toEqual([])
  })
})
