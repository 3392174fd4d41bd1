import { deviceJobStatuses, HubError, parseExactly } from '@muster/contract'
import type { DeviceSelection } from '@muster/store'
import { z } from 'zod'
import { checkDeviceIds, targetShape } from '../jobs/target.ts'

const endedStatuses = ['completed', 'failed', 'canceled', 'skipped'] as const

const codesMax = 100

/** The members by which a body selects devices of a job: those that meet each of the given ones. */
function shapeOf<const Status extends string>(statuses: readonly Status[]) {
  return {
    statuses: listOf(z.preprocess(spelled, z.enum(statuses)), statuses.length).optional(),
    errorCodes: listOf(
      z.string().regex(/^[A-Za-z]{1,64}$/, 'the name of an error, such as GatewayTimeout'),
      codesMax,
    ).optional(),
    deviceIds: targetShape.deviceIds,
  }
}

/** Devices are `canceled`, jobs `cancelled`: who writes one for the other means the same. */
function spelled(status: unknown): unknown {
  return status === 'cancelled' ? 'canceled' : status
}

function listOf<Item extends z.ZodType>(item: Item, most: number) {
  return z.array(item).refine(({ length }) => length >= 1 && length <= most, `a list of 1 to ${most}`)
}

export const selectionSchema = z.object(shapeOf(deviceJobStatuses))

/** The body of a rerun. */
export const rerunSchema = z.object({
  jobId: z.string().optional().openapi({ description: 'By default that of the job, with -rerun- and a number' }),
  ...shapeOf(endedStatuses),
  requery: z.boolean().optional().openapi({
    description: 'Leaves out the devices that do not match the condition of the job any more, or do not exist any more',
  }),
  startTime: z.string().optional(),
})

/** @throws HubError of status 400 that names the member, its value and what was expected */
export function parseSelection(body: unknown): DeviceSelection {
  return toSelection(parseExactly(selectionSchema, body))
}

/** The same of a rerun. Only devices that have ended are run again. */
export function parseRerun(body: unknown): z.output<typeof rerunSchema> & { readonly selection: DeviceSelection } {
  const members = parseExactly(rerunSchema, body)
  const selection = toSelection(members)
  const isAny = selection.statuses === null && selection.errorCodes === null
  return { ...members, selection: isAny ? { ...selection, statuses: endedStatuses } : selection }
}

function toSelection({ statuses, errorCodes, deviceIds }: z.output<typeof selectionSchema>): DeviceSelection {
  if (deviceIds != null) checkDeviceIds(deviceIds)
  if (statuses === undefined && errorCodes === undefined && deviceIds == null) {
    throw new HubError('ArgumentNull', {
      message: 'statuses, errorCodes and deviceIds are missing; expected at least one of them',
    })
  }
  return { statuses: statuses ?? null, errorCodes: errorCodes ?? null, deviceIds: deviceIds ?? null }
}
