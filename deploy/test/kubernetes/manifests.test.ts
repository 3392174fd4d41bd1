import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ExampleSecrets, writeExampleSecrets } from './example-secrets.ts'
import { podComplaints } from './pod-rules.ts'
import { referenceComplaints } from './reference-rules.ts'
import { renderAll, renderedNames } from './rendered.ts'
import { schemaComplaints } from './schemas.ts'
import { releaseVersion, settingComplaints } from './setting-rules.ts'
import { workloadsOf } from './workloads.ts'

const rendered = await renderAll()

describe.skipIf('absent' in rendered)('the manifests for Kubernetes', () => {
  const documentsOf = (name: string) => ('absent' in rendered ? [] : (rendered.get(name) ?? []))
  let secrets: ExampleSecrets
  beforeAll(async () => {
    secrets = await writeExampleSecrets()
  })
  afterAll(() => secrets[Symbol.asyncDispose]())

  it('fit the schemas in every overlay and with every component, and have no field that these do not know', async () => {
    const all = renderedNames.flatMap(documentsOf)

    expect(all.length).toBeGreaterThan(100)
    expect(await schemaComplaints(all)).toEqual([])
  })

  it.each(renderedNames)('%s: the pods are probed, bounded, confined, and of one release', (name) => {
    expect(workloadsOf(documentsOf(name)).length).toBeGreaterThan(4)
    expect(podComplaints(documentsOf(name), releaseVersion())).toEqual([])
  })

  it.each(renderedNames)('%s: what a document names is there', (name) => {
    expect(referenceComplaints(documentsOf(name))).toEqual([])
  })

  it.each(renderedNames)('%s: the hub takes the settings of its pods, and stops within their grace period', (name) => {
    expect(settingComplaints(documentsOf(name), secrets.fileOf)).toEqual([])
  })
})
