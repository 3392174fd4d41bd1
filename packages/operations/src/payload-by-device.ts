import { HubError, type JsonText, limits, storedPayload } from '@muster/contract'
import type { Db, RunningJob } from '@muster/store'
import { type Resolved, readDeviceValues } from './device-values.ts'
import { type LookUp, type Parameter, parametersIn, resolveJson } from './template.ts'

/**
 * The parameters in the payload of a stored call.
 * @throws HubError ArgumentInvalid for one that names nothing
 */
export function parametersOfPayload(payload: JsonText): readonly Parameter[] {
  return parametersIn(JSON.parse(payload), 'cloudToDeviceMethod.payload')
}

/**
 * The payload of a method job for each of these devices; their values are read in one query. Of a job without parameters it is the same
 * for all. A payload that becomes too large is an error of its device alone.
 */
export async function readPayloads(
  db: Db,
  { body, extensions, lastGenerationNo }: Pick<RunningJob, 'body' | 'extensions' | 'lastGenerationNo'>,
  deviceIds: readonly string[],
): Promise<(deviceId: string) => Resolved<JsonText>> {
  const payload = storedPayload(body.payload)
  if (extensions.parameters === undefined) return () => ({ value: payload })
  const wanted = { parameters: parametersOfPayload(payload), ...extensions.parameters }
  const resolveFor = await readDeviceValues(db, deviceIds, wanted, { lastGenerationNo, isLocked: false })
  return (deviceId) => resolveFor(deviceId, (lookUp) => resolved(payload, lookUp))
}

function resolved(payload: JsonText, lookUp: LookUp): JsonText {
  const text = resolveJson(payload, lookUp)
  const bytes = Buffer.byteLength(text)
  if (bytes <= limits.methodPayloadBytes) return text
  throw new HubError('ArgumentInvalid', {
    message: `with the values of the device the payload takes ${bytes} bytes of JSON; at most ${limits.methodPayloadBytes} are allowed`,
  })
}
