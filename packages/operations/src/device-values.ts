import { type DeviceError, type Extensions, HubError, type Json } from '@muster/contract'
import { type Db, readTwinValues } from '@muster/store'
import type { LookUp, Parameter } from './template.ts'

/** Or why there is none for the device. Null: the device is to be skipped. */
export type Resolved<Value> = { readonly value: Value } | { readonly error: DeviceError | null }

/** Resolves what a job has for each of its devices, with values of its own. */
export type ResolveFor = <Value>(deviceId: string, resolve: (lookUp: LookUp) => Value) => Resolved<Value>

/**
 * Reads the values of some parameters for these devices, in one query. `isLocked`: their twins stay as they are until the end of the
 * transaction.
 */
export async function readDeviceValues(
  db: Db,
  deviceIds: readonly string[],
  {
    parameters,
    onMissing = 'fail',
  }: { readonly parameters: readonly Parameter[] } & NonNullable<Extensions['parameters']>,
  options: { readonly lastGenerationNo: number; readonly isLocked: boolean },
): Promise<ResolveFor> {
  const named = parameters.flatMap(({ name, path }) => (path === null ? [] : [{ name, path }]))
  const paths = named.map(({ path }) => path)
  const found = await readTwinValues(db, deviceIds, paths, options)

  return (deviceId, resolve) => {
    const values = found.get(deviceId)
    if (values === undefined) return { error: notRegistered(deviceId) }
    const byName = new Map(named.map(({ name }, index) => [name, values[index] ?? null]))
    const lookUp = ({ name, path }: Parameter): Json => {
      const value = path === null ? deviceId : (byName.get(name) ?? null)
      if (value === null && onMissing === 'fail') throw missing(name)
      if (value === null && onMissing === 'skip') throw new SkippedError()
      return value
    }
    try {
      return { value: resolve(lookUp) }
    } catch (error) {
      if (error instanceof SkippedError) return { error: null }
      if (!(error instanceof HubError)) throw error
      return { error: { code: error.code, description: error.message } }
    }
  }
}

/** The device has no value, and is left out for that. */
class SkippedError extends Error {}

function missing(name: string): HubError {
  return new HubError('ArgumentInvalid', {
    message: `the twin of the device has no value for the parameter \${${name}}`,
  })
}

export function notRegistered(deviceId: string): DeviceError {
  return { code: 'DeviceNotFound', description: `the device ${deviceId} is not registered` }
}
