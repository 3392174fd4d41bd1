import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Change, changedIn } from './changed.ts'
import { titleOf } from './documents.ts'
import { findKustomize, type Render } from './kustomize.ts'
import { podComplaints, releaseVersion } from './pod-rules.ts'
import { referenceComplaints } from './reference-rules.ts'
import { documentsOf, renderAll } from './rendered.ts'
import { schemaComplaints } from './schemas.ts'

const rendered = await renderAll()

describe.skipIf('absent' in rendered)('a manifest that is wrong is found', () => {
  const changed = (given: Change) => changedIn(documentsOf(rendered, 'overlays/large'), given)

  it('by kustomize: a field of a kustomization', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'muster-kustomize-'))
    const render = (await findKustomize()) as Render
    await writeFile(join(folder, 'kustomization.yaml'), 'resource: [deployment.yaml]\n')

    await expect(render(folder)).rejects.toThrow(/unknown field .*resource/)
    await rm(folder, { recursive: true })
  })

  it('by its schema: a field that nobody knows, a value of another type, an unknown version', async () => {
    const cases: readonly Change[] = [
      [
        'Deployment muster-api',
        '"readinessProbe"',
        '"readynessProbe"',
        "'readynessProbe' does not exist in type 'IContainer'",
      ],
      [
        'ScaledObject muster-worker',
        '"behavior":"cur',
        '"behaviour":"cur',
        "'behaviour' does not exist in type 'IFallback'",
      ],
      [
        'PodMonitor muster',
        '"sourceLabels"',
        '"source_labels"',
        "'source_labels' does not exist in type 'IRelabelConfig'",
      ],
      ['Certificate muster', '"dnsNames"', '"dnsName"', "'dnsName' does not exist in type 'ICertificateSpec'"],
      ['Ingress muster', '"pathType"', '"pathtype"', 'must have required property pathType'],
      ['ScaledObject muster-api', '"minReplicaCount":1', '"minReplicaCount":"1"', 'minReplicaCount must be integer'],
      ['Service muster-api', '"v1"', '"v1alpha7"', 'no schema of v1alpha7 is known'],
    ]

    const found = await schemaComplaints(
      cases.flatMap((each) => changed(each).filter((one) => titleOf(one) === each[0])),
    )

    const isFound = ([title, , , complaint]: Change) =>
      found.some((text) => text.startsWith(`${title}: `) && text.includes(complaint))
    expect(
      cases.filter((each) => !isFound(each)),
      found.join('\n'),
    ).toEqual([])
  })

  it.each<Change>([
    ['Deployment muster-worker', '"runAsNonRoot":true', '"runAsNonRoot":false', 'may run as root'],
    ['Deployment muster-worker', '"drop":["ALL"]', '"drop":["NET_RAW"]', 'schema keeps capabilities'],
    ['Deployment muster-worker', '"livenessProbe"', '"liveness"', 'muster has no livenessProbe'],
    ['Deployment muster-worker', '"port":"http"', '"port":"htp"', 'muster has a startupProbe on htp'],
    ['Deployment muster-worker', '"memory":"512Mi"', '"storage":"512Mi"', 'muster has no limit of memory'],
    ['Deployment muster-worker', `muster:${releaseVersion()}`, 'muster:latest', 'expected a tag that does not move'],
    ['Deployment muster-worker', `muster:${releaseVersion()}`, 'muster:0.0.1', 'expected the release'],
    [
      'Deployment muster-worker',
      '"name":"secrets","readOnly"',
      '"name":"secret","readOnly"',
      'mounts no volume secret',
    ],
    [
      'Deployment muster-worker',
      '"matchLabels":{"app.kubernetes.io/name":"muster"}',
      '"matchLabels":{"app":"x"}',
      'is spread by',
    ],
    ['Deployment muster-worker', '"nodeTaintsPolicy":"Honor"', '"nodeTaintsPolicy":"Ignore"', 'cannot be replaced'],
  ])('by the rules of pods: %s with %s as %s', (...given) => {
    expect(podComplaints(changed(given), releaseVersion()).join('\n')).toContain(given[3])
  })

  it.each<Change>([
    ['Service muster-api', 'component":"api"', 'component":"apy"', 'selects no pod by'],
    ['Service muster-api', '"targetPort":"https"', '"targetPort":"tls"', 'names the port tls'],
    ['PodDisruptionBudget muster-worker', 'component":"worker"', 'component":"work"', 'selects 0 workloads'],
    ['PodDisruptionBudget muster-worker', '"muster-worker"', '"worker"', 'has no PodDisruptionBudget'],
    ['ScaledObject muster-worker', '"muster-worker"', '"worker"', 'scales worker, which is no Deployment'],
    ['ScaledObject muster-worker', 'muster-api.muster.svc', 'muster-api.default.svc', 'which is in another namespace'],
    ['ScaledObject muster-worker', 'muster-api.muster.svc', 'api.muster.svc', 'which is no Service'],
    ['ScaledObject muster-worker', '"muster-operator"', '"operator"', 'which is no TriggerAuthentication'],
    [
      'Deployment muster-worker',
      '"revisionHistoryLimit"',
      '"replicas":2,"revisionHistoryLimit"',
      'a number of replicas of its own',
    ],
    [
      'Deployment muster-worker',
      '"serviceAccountName":"muster"',
      '"serviceAccountName":"hub"',
      'names the account hub',
    ],
    ['Ingress muster', '"name":"muster-gateway"', '"name":"gateway"', 'leads to the port https of gateway'],
    ['NetworkPolicy muster-gateway', '"port":"mqtts"', '"port":"mqtt"', 'names the port mqtt'],
    ['PodMonitor muster', '"port":"http"', '"port":"metrics"', 'names the port metrics'],
    ['Service muster-api', '"namespace":"muster"', '"namespace":"hub"', 'is in the namespace hub, expected muster'],
  ])('by the rules of names: %s with %s as %s', (...given) => {
    expect(referenceComplaints(changed(given)).join('\n')).toContain(given[3])
  })
})
