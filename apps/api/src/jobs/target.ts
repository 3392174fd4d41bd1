import { clip, type Extensions, HubError, isDeviceId, limits, registryIdRule, type Target } from '@muster/contract'
import { parseNewCondition, QueryError } from '@muster/query'
import { z } from 'zod'

/** The two ways in which the body of a job may name its devices. */
export const targetShape = {
  queryCondition: z.string().nullish(),
  deviceIds: z.preprocess(listOf, z.array(z.string()).nullish()),
}

/** One text is a list of one. A list that is too long is refused before the schema reads it, because each element may be an error. */
function listOf(value: unknown): unknown {
  if (Array.isArray(value) && value.length > limits.targetDeviceIds) throw wrongLength(value)
  return typeof value === 'string' ? [value] : value
}

/** A target, and the condition that reads of the job show for it. */
export interface ShownTarget {
  readonly target: Target
  readonly queryCondition: string
}

/**
 * Only a condition can come to match more devices than it did.
 * @throws HubError ArgumentInvalid
 */
export function checkSelection({ targetSelection, maxDevices }: Extensions, target: Target): void {
  const isContinuous = targetSelection === 'continuous'
  if (isContinuous && target.kind === 'devices') {
    throw new HubError('ArgumentInvalid', {
      message:
        'targetSelection must be snapshot for listed devices, got "continuous": only a queryCondition can come to match more',
    })
  }
  if (maxDevices !== undefined && !isContinuous) {
    throw new HubError('ArgumentInvalid', {
      message: `maxDevices needs targetSelection "continuous", got ${maxDevices} for a job whose devices are fixed at its start`,
    })
  }
}

/** The condition is read as the end of this query, whose length counts too. */
const lead = 'SELECT * FROM devices WHERE '
const conditionLength = limits.queryLength - lead.length

/**
 * Reads the target of a job: `queryCondition`, else `deviceIds`. A condition that does not parse is refused now, and not when the job
 * starts.
 */
export function parseTarget(members: {
  queryCondition?: string | null | undefined
  deviceIds?: readonly string[] | null | undefined
}): ShownTarget {
  const { queryCondition, deviceIds } = members
  if (queryCondition != null && queryCondition.trim() !== '') {
    checkCondition(queryCondition, 'queryCondition')
    return { target: { kind: 'condition', queryCondition }, queryCondition }
  }
  if (deviceIds == null) {
    throw new HubError('ArgumentNull', {
      message: 'queryCondition is missing or empty; expected a condition, * for all devices, or deviceIds in its place',
    })
  }
  checkDeviceIds(deviceIds)
  return toTarget([...new Set(deviceIds)])
}

/** A job for these devices, each named once. */
export function toTarget(deviceIds: readonly string[]): ShownTarget {
  return { target: { kind: 'devices', deviceIds }, queryCondition: conditionOf(deviceIds) }
}

/** @throws HubError ArgumentInvalid that names the member */
export function checkCondition(condition: string, member: string): void {
  if (condition.length > conditionLength) {
    throw new HubError('ArgumentInvalid', {
      message: `${member} has ${condition.length} characters; at most ${conditionLength} are allowed. For a list of devices send deviceIds, which may hold ${limits.targetDeviceIds}`,
    })
  }
  // The only character that Postgres accepts in no text.
  if (condition.includes('\u0000')) {
    throw new HubError('ArgumentInvalid', { message: `${member} must not contain U+0000` })
  }
  try {
    parseNewCondition(condition)
  } catch (error) {
    if (!(error instanceof QueryError)) throw error
    throw new HubError('ArgumentInvalid', { message: `${member}: ${error.message}`, cause: error })
  }
}

/** @throws HubError ArgumentInvalid for a list that is empty, and for a text that is no id */
export function checkDeviceIds(deviceIds: readonly string[]): void {
  if (deviceIds.length === 0) throw wrongLength(deviceIds)
  const wrong = deviceIds.findIndex((deviceId) => !isDeviceId(deviceId))
  if (wrong >= 0) {
    throw new HubError('ArgumentInvalid', {
      message: `deviceIds.${wrong} must be a device id: ${registryIdRule}, got "${clip(deviceIds[wrong] ?? '')}"`,
    })
  }
}

function wrongLength({ length }: readonly unknown[]): HubError {
  return new HubError('ArgumentInvalid', {
    message: `deviceIds must hold 1 to ${limits.targetDeviceIds} ids, got ${length}`,
  })
}

/** A list that is too long for a condition is shown by its first ids only. */
function conditionOf(deviceIds: readonly string[]): string {
  const first = deviceIds.slice(0, conditionLength)
  const quoted = first.map((deviceId) => `'${deviceId.replaceAll("'", "\\'")}'`)
  const whole = `deviceId IN [${quoted.join(',')}]`
  if (whole.length <= conditionLength) return whole

  const cut = whole.lastIndexOf("','", conditionLength - 40) + 1
  const shown = whole.slice(0, cut)
  const rest = deviceIds.length - (shown.match(/','/g)?.length ?? 0) - 1
  return `${shown}, and ${rest} more]`
}
