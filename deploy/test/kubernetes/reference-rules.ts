import { z } from 'zod'
import { type Document, titleOf } from './documents.ts'
import { type Selector, selects, type Workload, workloadsOf } from './workloads.ts'

const selector = z.record(z.string(), z.string())
const port = z.union([z.string(), z.int()])

const service = z.looseObject({
  selector,
  ports: z.array(z.looseObject({ name: z.string(), port: z.int(), targetPort: port })),
})
const budget = z.looseObject({ selector: z.looseObject({ matchLabels: selector }) })
const scaled = z.looseObject({ scaleTargetRef: z.looseObject({ name: z.string() }) })
const triggers = z.array(
  z.looseObject({
    metadata: z.record(z.string(), z.string()),
    authenticationRef: z.looseObject({ name: z.string() }).optional(),
  }),
)
const backend = z.looseObject({
  service: z.looseObject({ name: z.string(), port: z.looseObject({ name: z.string() }) }),
})
const ingress = z.looseObject({
  rules: z.array(z.looseObject({ http: z.looseObject({ paths: z.array(z.looseObject({ backend })) }) })),
})
const policy = z.looseObject({
  podSelector: z.looseObject({ matchLabels: selector }),
  ingress: z.array(z.looseObject({ ports: z.array(z.looseObject({ port })) })).default([]),
})
const podMonitor = z.looseObject({
  selector: z.looseObject({ matchLabels: selector }),
  podMetricsEndpoints: z.array(z.looseObject({ port: z.string() })),
})

/** Where documents name one another, and do not find what they name. */
export function referenceComplaints(documents: readonly Document[]): readonly string[] {
  const workloads = workloadsOf(documents)
  const rules: Readonly<Record<string, (document: Document) => readonly string[]>> = {
    Service: ({ spec }) => {
      const { selector, ports } = service.parse(spec)
      return ports.flatMap(({ targetPort }) => missingPorts(workloads, selector, targetPort))
    },
    PodDisruptionBudget: ({ spec }) => {
      const { matchLabels } = budget.parse(spec).selector
      const found = workloads.filter((each) => selects(matchLabels, each))
      return found.length === 1 ? [] : [`selects ${found.length} workloads, expected one`]
    },
    ScaledObject: (document) => [
      ...targetComplaints(documents, scaled.parse(document.spec).scaleTargetRef.name),
      ...triggerComplaints(documents, document),
    ],
    HorizontalPodAutoscaler: ({ spec }) => targetComplaints(documents, scaled.parse(spec).scaleTargetRef.name),
    Ingress: ({ spec }) =>
      ingress
        .parse(spec)
        .rules.flatMap(({ http }) =>
          http.paths.flatMap(({ backend }) => backendComplaints(documents, backend.service)),
        ),
    NetworkPolicy: ({ spec }) => {
      const { podSelector, ingress } = policy.parse(spec)
      const ports = ingress.flatMap((each) => each.ports.map(({ port }) => port))
      const found = workloads.filter((each) => selects(podSelector.matchLabels, each))
      if (found.length === 0) return [`selects no pod by ${JSON.stringify(podSelector.matchLabels)}`]
      return ports.flatMap((each) => missingPorts(workloads, podSelector.matchLabels, each))
    },
    PodMonitor: ({ spec }) => {
      const { selector, podMetricsEndpoints } = podMonitor.parse(spec)
      return podMetricsEndpoints.flatMap(({ port }) => missingPorts(workloads, selector.matchLabels, port))
    },
  }
  return [
    ...documents.flatMap((each) => (rules[each.kind]?.(each) ?? []).map((text) => `${titleOf(each)}: ${text}`)),
    ...workloads.flatMap((each) => missingParts(documents, each).map((text) => `${each.title}: ${text}`)),
    ...namespaceComplaints(documents),
  ]
}

/** A Job that ends by itself serves nothing. */
function missingPorts(workloads: readonly Workload[], selector: Selector, port: string | number): readonly string[] {
  const found = workloads.filter((each) => !each.isTask && selects(selector, each))
  if (found.length === 0) return [`selects no pod by ${JSON.stringify(selector)}`]
  const lacks = ({ containers }: Workload) =>
    !containers.some(({ ports }) => ports.some(({ name, containerPort }) => name === port || containerPort === port))
  return found.filter(lacks).map(({ title }) => `names the port ${port}, which ${title} has not`)
}

/** Who scales decides on the number of pods alone: a number in the manifest would set it back. */
function targetComplaints(documents: readonly Document[], name: string): readonly string[] {
  const target = documents.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name)
  if (target === undefined) return [`scales ${name}, which is no Deployment`]
  const hasNumber = z.looseObject({ replicas: z.int().optional() }).parse(target.spec).replicas !== undefined
  return hasNumber ? [`scales ${name}, which has a number of replicas of its own`] : []
}

function triggerComplaints(documents: readonly Document[], document: Document): readonly string[] {
  const { triggers: given = [] } = z.looseObject({ triggers: triggers.optional() }).parse(document.spec)
  const knows = (name: string) =>
    documents.some(({ kind, metadata }) => kind === 'TriggerAuthentication' && metadata.name === name)
  return [
    ...(given.length > 0 ? [] : ['has no trigger']),
    ...given.flatMap(({ authenticationRef }) =>
      authenticationRef === undefined || knows(authenticationRef.name)
        ? []
        : [`names ${authenticationRef.name}, which is no TriggerAuthentication`],
    ),
    ...given.flatMap(({ metadata: { url } }) => {
      if (url === undefined) return []
      const { hostname, port } = new URL(url)
      const [name = '', namespace] = hostname.split('.')
      if (namespace !== document.metadata.namespace) return [`asks ${hostname}, which is in another namespace`]
      return servicePorts(documents, name).some((each) => String(each.port) === port)
        ? []
        : [`asks ${url}, which is no Service`]
    }),
  ]
}

function backendComplaints(
  documents: readonly Document[],
  { name, port }: z.output<typeof backend>['service'],
): readonly string[] {
  const isThere = servicePorts(documents, name).some((each) => each.name === port.name)
  return isThere ? [] : [`leads to the port ${port.name} of ${name}, which is no Service with it`]
}

function servicePorts(documents: readonly Document[], name: string): z.output<typeof service>['ports'] {
  const found = documents.find(({ kind, metadata }) => kind === 'Service' && metadata.name === name)
  return found === undefined ? [] : service.parse(found.spec).ports
}

function missingParts(
  documents: readonly Document[],
  { document, pod, containers, role }: Workload,
): readonly string[] {
  const isThere = (kind: string, name: string) =>
    documents.some((each) => each.kind === kind && each.metadata.name === name)
  const maps = containers.flatMap(({ envFrom }) => envFrom.flatMap(({ configMapRef }) => configMapRef?.name ?? []))
  const account = pod.serviceAccountName
  return [
    ...maps.filter((name) => !isThere('ConfigMap', name)).map((name) => `names ${name}, which is no ConfigMap`),
    ...(account === undefined || isThere('ServiceAccount', account)
      ? []
      : [`names the account ${account}, which is not there`]),
    ...(role === undefined || isThere('PodDisruptionBudget', document.metadata.name)
      ? []
      : ['has no PodDisruptionBudget']),
  ]
}

/** All in one namespace, but for the namespace itself. */
function namespaceComplaints(documents: readonly Document[]): readonly string[] {
  const namespace = documents.find(({ kind }) => kind === 'Namespace')?.metadata.name
  return documents
    .filter(({ kind, metadata }) => kind !== 'Namespace' && metadata.namespace !== namespace)
    .map((each) => `${titleOf(each)}: is in the namespace ${each.metadata.namespace}, expected ${namespace}`)
}
