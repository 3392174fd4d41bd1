import { z } from 'zod'
import { type Document, titleOf } from './documents.ts'

const labels = z.record(z.string(), z.string())
const probe = z.looseObject({})

const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()).default([]),
  env: z
    .array(z.looseObject({ name: z.string(), value: z.string().optional(), valueFrom: z.unknown().optional() }))
    .default([]),
  envFrom: z
    .array(
      z.looseObject({ configMapRef: z.object({ name: z.string() }).optional(), secretRef: z.unknown().optional() }),
    )
    .default([]),
  ports: z.array(z.looseObject({ name: z.string(), containerPort: z.int() })).default([]),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).default([]),
  resources: z
    .looseObject({ requests: labels.default({}), limits: labels.default({}) })
    .default({ requests: {}, limits: {} }),
  lifecycle: z.looseObject({ preStop: z.looseObject({ sleep: z.object({ seconds: z.int() }) }) }).optional(),
  securityContext: z
    .looseObject({
      allowPrivilegeEscalation: z.boolean().optional(),
      readOnlyRootFilesystem: z.boolean().optional(),
      capabilities: z.looseObject({ drop: z.array(z.string()) }).optional(),
    })
    .optional(),
  startupProbe: probe.optional(),
  livenessProbe: probe.optional(),
  readinessProbe: probe.optional(),
})
export type Container = z.output<typeof container>

const pod = z.looseObject({
  metadata: z.looseObject({ labels }),
  spec: z.looseObject({
    automountServiceAccountToken: z.boolean().optional(),
    serviceAccountName: z.string().optional(),
    terminationGracePeriodSeconds: z.int().default(30),
    securityContext: z
      .looseObject({
        runAsNonRoot: z.boolean().optional(),
        seccompProfile: z.looseObject({ type: z.string() }).optional(),
      })
      .optional(),
    initContainers: z.array(container).default([]),
    containers: z.array(container),
    volumes: z.array(z.looseObject({ name: z.string() })).default([]),
    topologySpreadConstraints: z
      .array(
        z.looseObject({
          topologyKey: z.string(),
          whenUnsatisfiable: z.string(),
          nodeTaintsPolicy: z.string().default('Ignore'),
          labelSelector: z.looseObject({ matchLabels: labels }),
        }),
      )
      .default([]),
  }),
})

/** What runs pods: a Deployment, a StatefulSet or a Job. */
export interface Workload {
  readonly document: Document
  readonly title: string
  readonly labels: Readonly<Record<string, string>>
  readonly pod: z.output<typeof pod>['spec']
  /** Of every kind: those that come first, too. */
  readonly containers: readonly Container[]
  /** Of a Job: it ends by itself. */
  readonly isTask: boolean
  /** The role that it runs; undefined for a store or a task. */
  readonly role: string | undefined
}

const kinds = ['Deployment', 'StatefulSet', 'Job']

export function workloadsOf(documents: readonly Document[]): readonly Workload[] {
  return documents
    .filter(({ kind }) => kinds.includes(kind))
    .map((document) => {
      const { template } = z.looseObject({ template: pod }).parse(document.spec)
      const isTask = document.kind === 'Job'
      const { labels } = template.metadata
      const isOurs = labels['app.kubernetes.io/name'] === 'muster'
      return {
        document,
        title: titleOf(document),
        labels,
        pod: template.spec,
        containers: [...template.spec.initContainers, ...template.spec.containers],
        isTask,
        role: isOurs && !isTask ? labels['app.kubernetes.io/component'] : undefined,
      }
    })
}

export type Selector = Readonly<Record<string, string>>

export function selects(selector: Selector, { labels }: Pick<Workload, 'labels'>): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value)
}
