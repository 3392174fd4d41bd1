import { z } from 'zod'
import { HubError } from '../errors.ts'
import { isJsonObject } from '../json.ts'
import { abortSchema } from './abort.ts'
import { parametersSchema } from './parameters.ts'
import { nearestOf, parseExactly } from './parse-exactly.ts'
import { pauseTimeoutSchema } from './pause.ts'
import { retrySchema } from './retry.ts'
import { rolloutSchema } from './rollout.ts'
import { targetShape } from './target.ts'
import { windowsSchema } from './windows.ts'

/** Jobs of a higher one start first. */
export const prioritySchema = z.int().min(0).max(1000)

/** Each member that this hub adds to the body of a job. */
export const extensionsSchema = z.object({
  rollout: rolloutSchema.exactOptional(),
  abort: abortSchema.exactOptional(),
  ...targetShape,
  priority: prioritySchema.exactOptional(),
  pauseTimeoutSeconds: pauseTimeoutSchema.exactOptional(),
  retry: retrySchema.exactOptional(),
  parameters: parametersSchema.exactOptional(),
  windows: windowsSchema.exactOptional(),
})

/** What a job asks for beside the members of Azure IoT Hub, as it was given. What was not given is absent. */
export type Extensions = z.output<typeof extensionsSchema>

const extensionNames: readonly string[] = Object.keys(extensionsSchema.shape)

/**
 * Reads the extensions among the members of the body of a job, by their exact names. Null is as good as absent. `azureMembers`: the names of
 * the other members that a body may have.
 * @throws HubError of status 400 that names the member, its value and what was expected
 */
export function parseExtensions(body: unknown, azureMembers: readonly string[]): Extensions {
  if (!isJsonObject(body)) return {}
  refuseMisspelled(Object.keys(body), azureMembers)
  const given = Object.entries(body).filter(([name, value]) => extensionNames.includes(name) && value !== null)
  return parseExactly(extensionsSchema, Object.fromEntries(given))
}

/** Other unknown members are left out, because clients of Azure IoT Hub send some. */
function refuseMisspelled(names: readonly string[], azureMembers: readonly string[]): void {
  const known = azureMembers.map((name) => name.toLowerCase())
  for (const name of names) {
    if (extensionNames.includes(name) || known.includes(name.toLowerCase())) continue
    const near = nearestOf(name, extensionNames)
    if (near === null) continue
    throw new HubError('ArgumentInvalid', { message: `${name} is not known. The nearest is ${near}.` })
  }
}
