import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Document } from './documents.ts'
import { type Container, type Workload, workloadsOf } from './workloads.ts'

/** What our own rules say against the pods of the documents: how they are checked, bounded and confined. */
export function podComplaints(documents: readonly Document[], version: string): readonly string[] {
  const workloads = workloadsOf(documents)
  return workloads.flatMap((workload) =>
    [
      ...confinementComplaints(workload),
      ...workload.containers.flatMap((each) => containerComplaints(workload, each, version)),
      ...(workload.isTask ? [] : workload.pod.containers.flatMap(probeComplaints)),
      ...spreadComplaints(workload),
    ].map((complaint) => `${workload.title}: ${complaint}`),
  )
}

/** The profile "restricted" of the Pod Security Standards, and what it does not ask for. */
function confinementComplaints({ pod }: Workload): readonly string[] {
  return complaints([
    [pod.securityContext?.runAsNonRoot === true, 'may run as root'],
    [pod.securityContext?.seccompProfile?.type === 'RuntimeDefault', 'has no seccomp profile RuntimeDefault'],
    [pod.automountServiceAccountToken === false, 'has a token of the API server'],
  ])
}

function containerComplaints({ pod }: Workload, container: Container, version: string): readonly string[] {
  const { image, name, resources, securityContext, volumeMounts } = container
  const [repository = '', tag] = image.split(':')
  const volumes = [...pod.volumes.map((each) => each.name), 'data']
  return complaints([
    [securityContext?.allowPrivilegeEscalation === false, `${name} may gain privileges`],
    [securityContext?.readOnlyRootFilesystem === true, `${name} may write to its image`],
    [securityContext?.capabilities?.drop.includes('ALL') === true, `${name} keeps capabilities`],
    [resources.requests.cpu !== undefined, `${name} requests no processor time`],
    [resources.requests.memory !== undefined, `${name} requests no memory`],
    [resources.limits.memory !== undefined, `${name} has no limit of memory`],
    [tag !== undefined && tag !== 'latest', `${name} has the image ${image}, expected a tag that does not move`],
    [repository !== 'muster' || tag === version, `${name} has the image ${image}, expected the release ${version}`],
    ...volumeMounts.map((mount) => [volumes.includes(mount.name), `${name} mounts no volume ${mount.name}`] as const),
  ])
}

function probeComplaints(container: Container): readonly string[] {
  const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const
  return probes.flatMap((kind) => {
    const probe = container[kind]
    if (probe === undefined) return [`${container.name} has no ${kind}`]
    const ports = [probe.httpGet, probe.tcpSocket].flatMap((each) =>
      typeof each === 'object' && each !== null && 'port' in each ? [each.port] : [],
    )
    return ports
      .filter((port) => !container.ports.some(({ name }) => name === port))
      .map((port) => `${container.name} has a ${kind} on ${port}, which is none of its ports`)
  })
}

function spreadComplaints({ labels, pod, role }: Workload): readonly string[] {
  const strange = pod.topologySpreadConstraints.filter(({ labelSelector }) =>
    Object.entries(labelSelector.matchLabels).some(([name, value]) => labels[name] !== value),
  )
  // Nodes of a lost zone stay registered: where they count, no pod may replace theirs elsewhere.
  const stuck = pod.topologySpreadConstraints.filter(
    ({ whenUnsatisfiable, nodeTaintsPolicy }) => whenUnsatisfiable === 'DoNotSchedule' && nodeTaintsPolicy !== 'Honor',
  )
  return complaints([
    [role === undefined || pod.topologySpreadConstraints.length > 0, 'is not spread over machines'],
    [strange.length === 0, `is spread by labels that it has not: ${strange.map((each) => each.topologyKey)}`],
    [stuck.length === 0, `cannot be replaced when nodes are lost: ${stuck.map((each) => each.topologyKey)}`],
  ])
}

function complaints(expected: readonly (readonly [holds: boolean, complaint: string])[]): readonly string[] {
  return expected.flatMap(([holds, complaint]) => (holds ? [] : [complaint]))
}

/** The version of the release, which every package has. */
export function releaseVersion(): string {
  const file = new URL('../../package.json', import.meta.url)
  return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8'))).version
}
