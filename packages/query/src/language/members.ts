import { type JobStatus, parseJobStatus, parseJobType, twinMembers } from '@muster/contract'
import type { Path, Source, Step } from './ast.ts'
import type { Scalar } from './values.ts'

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
  'cloudToDeviceMethod',
  'error',
] as const

const canonical: Record<Source, ReadonlyMap<string, string>> = {
  devices: byLowerCase(twinMembers),
  'devices.modules': byLowerCase(twinMembers),
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

/** The source of a query, which gives its names their meaning. */
export interface Scope {
  readonly source: Source
  /** Another name of the source. Like the first one, it may begin a path. */
  readonly alias: string | null
}

/** The members that twins of devices have. */
export const deviceMembers: readonly string[] = twinMembers.filter((name) => name !== 'moduleId')

/** Whether rows of the source have a member of this name, in any letter case. */
export function isMember(name: string, source: Source): boolean {
  return canonical[source].has(name.toLowerCase())
}

/** A path without the name of its source, and with the names of the hub in canonical spelling. */
export function canonicalPath(path: Path, { source, alias }: Scope): Path {
  const { root, steps } =
    without(prefixes[source], path) ??
    (source === 'devices.modules' ? without(['devices'], path) : undefined) ??
    without([alias?.toLowerCase()], path) ??
    path
  const name = canonical[source].get(root.toLowerCase())
  if (name === undefined) return { ...path, root, steps }
  return { ...path, root: name, steps: name === 'properties' ? canonicalSection(steps) : steps }
}

const prefixes: Record<Source, readonly string[]> = {
  devices: ['devices'],
  'devices.modules': ['devices', 'modules'],
  'devices.jobs': ['devices', 'jobs'],
}

/** The rest of a path after these names, which are in small letters. Undefined if it does not begin with them, or has no rest. */
function without(
  [first, ...others]: readonly (string | undefined)[],
  { root, steps }: Path,
): Pick<Path, 'root' | 'steps'> | undefined {
  const next = steps[others.length]
  const isPrefixed =
    root.toLowerCase() === first && others.every((name, index) => `${steps[index]}`.toLowerCase() === name)
  return isPrefixed && typeof next === 'string' ? { root: next, steps: steps.slice(others.length + 1) } : undefined
}

function canonicalSection([section, ...steps]: readonly Step[]): readonly Step[] {
  if (section === undefined) return []
  const name = `${section}`.toLowerCase()
  return [name === 'desired' || name === 'reported' ? name : section, ...steps]
}

/** Equal only for equal canonical paths: an index differs from a name of digits. */
export function pathText({ root, steps }: Path): string {
  return JSON.stringify([root, ...steps])
}

/** Whether a canonical path names a member of twins. Rows of device jobs have none. */
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

/** A constant that is compared with a canonical path, in the spelling of the rows. All spellings of the wire are accepted. */
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
