import { type Config, loadConfig, roleNames, StartError } from '@muster/runtime'
import { z } from 'zod'
import type { Document } from './documents.ts'
import type { ExampleSecrets } from './example-secrets.ts'
import { type Container, type Workload, workloadsOf } from './workloads.ts'

/** The time that the hub takes to close the connections of its stores, after MUSTER_SHUTDOWN_SECONDS. */
const closeSeconds = 7
const spareSeconds = 5

/** The port of the configuration for each name of a port. */
const portOf: Readonly<Record<string, (config: Config) => number>> = {
  http: ({ httpPort }) => httpPort,
  https: ({ httpsPort }) => httpsPort,
  mqtts: ({ mqttsPort }) => mqttsPort,
}

const portsOfRole: Readonly<Record<string, readonly string[]>> = {
  api: ['http', 'https'],
  dispatcher: ['http'],
  worker: ['http'],
  gateway: ['http', 'https', 'mqtts'],
}

/** What the hub itself says against the settings of its pods, and where they do not fit their pod. */
export function settingComplaints(
  documents: readonly Document[],
  secrets: ExampleSecrets['fileOf'],
): readonly string[] {
  return workloadsOf(documents)
    .filter(({ labels }) => labels['app.kubernetes.io/name'] === 'muster')
    .flatMap((workload) =>
      workload.containers
        .flatMap((container) => complaintsOf(documents, workload, container, secrets))
        .map((complaint) => `${workload.title}: ${complaint}`),
    )
}

function complaintsOf(
  documents: readonly Document[],
  { pod, role }: Workload,
  container: Container,
  secrets: ExampleSecrets['fileOf'],
): readonly string[] {
  const open = openSecrets(container)
  if (open.length > 0) return open
  try {
    const config = loadConfig({ dataDir: '/data' }, environmentOf(documents, container, secrets))
    if (role === undefined || !container.args.includes(role)) return wrongCommand(container)
    const drain =
      (container.lifecycle?.preStop.sleep.seconds ?? 0) + config.shutdownSeconds + closeSeconds + spareSeconds
    return [
      ...(pod.terminationGracePeriodSeconds >= drain
        ? []
        : [`has ${pod.terminationGracePeriodSeconds} s to stop, expected ${drain} at least`]),
      ...portComplaints(container, config, portsOfRole[role] ?? []),
    ]
  } catch (error) {
    if (error instanceof StartError) return [error.message]
    throw error
  }
}

function wrongCommand({ args, name }: Container): readonly string[] {
  const [command = ''] = args
  const isCommand = command === 'migrate' || roleNames.some((role) => role === command)
  return isCommand ? [] : [`${name} runs ${command}, expected a role or migrate`]
}

/** Secrets are files: the environment of a process can be read by more people, and is printed by accident. */
function openSecrets({ env, envFrom }: Container): readonly string[] {
  const isSecret = (name: string) =>
    ['DATABASE_URL', 'REDIS_URL'].includes(name) || /_(POLICIES|TOKEN|PASSWORD)$/.test(name)
  return [
    ...env
      .filter(({ name, valueFrom }) => isSecret(name) || valueFrom !== undefined)
      .map(({ name }) => `${name} is in the environment, expected ${name}_FILE`),
    ...envFrom
      .filter(({ secretRef }) => secretRef !== undefined)
      .map(() => 'a whole secret is in the environment, expected files'),
    ...env
      .filter(({ name }) => !/^(MUSTER_|OTEL_|(DATABASE|REDIS)_URL_FILE$)/.test(name))
      .map(({ name }) => `${name} is no setting of the hub`),
  ]
}

function environmentOf(
  documents: readonly Document[],
  container: Container,
  secrets: ExampleSecrets['fileOf'],
): Record<string, string> {
  const shared = container.envFrom.flatMap(({ configMapRef }) => {
    const map = documents.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef?.name)
    return Object.entries(z.record(z.string(), z.string()).parse(map?.data ?? {}))
  })
  const own = container.env.map(({ name, value = '' }) => [name, exampleOf(container, name, value, secrets)] as const)
  return Object.fromEntries([...shared, ...own])
}

/** The file for a path below a mounted secret; any other path stays, and the hub does not find it. */
function exampleOf(
  { volumeMounts }: Container,
  name: string,
  value: string,
  secrets: ExampleSecrets['fileOf'],
): string {
  if (!name.endsWith('_FILE')) return value
  const mount = volumeMounts.find(({ mountPath }) => value.startsWith(`${mountPath}/`))
  const key = mount === undefined ? '' : value.slice(mount.mountPath.length + 1)
  return secrets[key] ?? value
}

function portComplaints({ name, ports }: Container, config: Config, expected: readonly string[]): readonly string[] {
  const names = ports.map((port) => port.name).toSorted()
  const wrong = ports.filter((port) => portOf[port.name]?.(config) !== port.containerPort)
  return [
    ...(names.join() === expected.join() ? [] : [`${name} has the ports ${names}, expected ${expected}`]),
    ...wrong.map((port) => `${name} has ${port.name} on ${port.containerPort}, but the hub listens elsewhere`),
  ]
}
