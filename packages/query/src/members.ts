import { type JobStatus, parseJobStatus, parseJobType } from '@muster/contract'
import type { Path, Source, Step } from './ast.ts'
import type { Scalar } from './values.ts'

const twinMembers = [
  'deviceId',
  'moduleId',
  'etag',
  'deviceEtag',
  'status',
  'statusReason',
  'statusUpdateTime',
  'connectionState',
  'lastActivityTime',
  'cloudToDeviceMessageCount',
  'authenticationType',
  'x509Thumbprint',
  'modelId',
  'version',
  'tags',
  'properties',
  'capabilities',
  'deviceScope',
  'configurations',
] as const

const deviceJobMembers = [
  'deviceId',
  'moduleId',
  'jobId',
  'jobType',
  'status',
  'startTimeUtc',
  'endTimeUtc',
  'createdDateTimeUtc',
  'lastUpdatedDateTimeUtc',
  'outcome',
  'error',
] as const

const canonical: Record<Source, ReadonlyMap<string, string>> = {
  devices: byLowerCase(twinMembers),
  'devices.jobs': byLowerCase(deviceJobMembers).set('createdtimeutc', 'createdDateTimeUtc'),
}

const instants: ReadonlySet<string> = new Set([
  'lastActivityTime',
  'statusUpdateTime',
  'startTimeUtc',
  'endTimeUtc',
  'createdDateTimeUtc',
  'lastUpdatedDateTimeUtc',
])

function byLowerCase(names: readonly string[]): Map<string, string> {
  return new Map(names.map((name) => [name.toLowerCase(), name]))
}

/** A path with the name of its source taken off the front, and the names that the hub knows in their own spelling. */
export function canonicalPath(path: Path, source: Source): Path {
  const { root, steps } = withoutSource(path, source.split('.'))
  const name = canonical[source].get(root.toLowerCase())
  if (name === undefined) return { ...path, root, steps }
  return { ...path, root: name, steps: name === 'properties' ? canonicalSection(steps) : steps }
}

function withoutSource({ root, steps }: Path, source: readonly string[]): Pick<Path, 'root' | 'steps'> {
  const names = [root, ...steps]
  const isPrefixed = source.every((name, index) => `${names[index]}`.toLowerCase() === name)
  const inner = names[source.length]
  return isPrefixed && typeof inner === 'string'
    ? { root: inner, steps: names.slice(source.length + 1) }
    : { root, steps }
}

function canonicalSection([section, ...steps]: readonly Step[]): readonly Step[] {
  if (section === undefined) return []
  const name = `${section}`.toLowerCase()
  return [name === 'desired' || name === 'reported' ? name : section, ...steps]
}

/** Whether a canonical path names a twin where the rows are device jobs, which have no twin beside them. */
export function isForeign({ root }: Path, source: Source): boolean {
  const name = root.toLowerCase()
  return (
    source === 'devices.jobs' && !canonical[source].has(name) && (name === 'devices' || canonical.devices.has(name))
  )
}

/** Whether a canonical path is one of the members that compare with ISO 8601 texts as instants. */
export function isInstant({ root, steps }: Path): boolean {
  return steps.length === 0 && instants.has(root)
}

/** A constant that is compared with a canonical path, in the spelling that rows have: all spellings of the wire are taken. */
export function canonicalSpelling({ root, steps }: Path, source: Source, value: Scalar): Scalar {
  if (source !== 'devices.jobs' || steps.length > 0 || typeof value !== 'string') return value
  if (root === 'jobType') return parseJobType(value) ?? value
  if (root !== 'status') return value
  const status = parseJobStatus(value)
  return status === null ? value : deviceJobStatus[status]
}

const deviceJobStatus: Record<JobStatus, string> = {
  queued: 'pending',
  scheduled: 'scheduled',
  running: 'running',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'canceled',
}
