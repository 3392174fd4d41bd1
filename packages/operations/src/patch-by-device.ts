import { type JsonObject, parseTwinPatch, type TwinPatch } from '@muster/contract'
import { checkPatchFits, type Db, type Execution, type LockedChunk } from '@muster/store'
import { readDeviceValues } from './device-values.ts'
import { type Parameter, parametersIn, resolveMembers } from './template.ts'

/** Patches the twins of some devices alike. */
export type PatchAlike = (tx: Db, chunk: LockedChunk, patch: TwinPatch, now: Date) => Promise<Execution>

/**
 * The parameters in a patch.
 * @throws HubError ArgumentInvalid for one that names nothing
 */
export function parametersOfPatch({ tags, desired }: TwinPatch): readonly Parameter[] {
  return parametersIn({ tags: tags ?? null, desired: desired ?? null }, 'updateTwin')
}

/**
 * Patches each twin of a locked chunk with values of its own device. Those whose patch comes out alike are patched together. A patch that
 * comes out as none that a caller may send fails for its device alone.
 */
export async function patchByDevice(
  tx: Db,
  chunk: LockedChunk,
  { patchAlike, now }: { readonly patchAlike: PatchAlike; readonly now: Date },
): Promise<Execution> {
  const { job, deviceIds } = chunk
  const patch = parseTwinPatch(job.body)
  const wanted = { parameters: parametersOfPatch(patch), ...job.extensions.parameters }
  const resolveFor = await readDeviceValues(tx, deviceIds, wanted, {
    lastGenerationNo: job.lastGenerationNo,
    isLocked: true,
  })

  const failures: Execution['failures'][number][] = []
  const skipped: string[] = []
  const groups = new Map<string, { patch: TwinPatch; deviceIds: LockedChunk['deviceIds'] }>()
  for (const deviceId of deviceIds) {
    const resolved = resolveFor(deviceId, (lookUp) => checked(patch, (members) => resolveMembers(members, lookUp)))
    if ('error' in resolved) {
      if (resolved.error === null) skipped.push(deviceId)
      else failures.push({ deviceId, error: resolved.error })
    } else {
      const key = JSON.stringify(resolved.value)
      const group = groups.get(key)
      groups.set(key, { patch: resolved.value, deviceIds: [...(group?.deviceIds ?? []), deviceId] })
    }
  }
  const executions: Execution[] = []
  for (const group of groups.values()) {
    executions.push(await patchAlike(tx, { ...chunk, deviceIds: group.deviceIds }, group.patch, now))
  }
  return {
    failures: [...failures, ...executions.flatMap((execution) => execution.failures)],
    skipped,
    desired: executions.flatMap(({ desired }) => desired),
  }
}

/** By the rules for a patch that a caller sends. */
function checked({ tags, desired }: TwinPatch, resolve: (members: JsonObject) => JsonObject): TwinPatch {
  const patch = parseTwinPatch({
    ...(tags == null ? {} : { tags: resolve(tags) }),
    ...(desired == null ? {} : { properties: { desired: resolve(desired) } }),
  })
  checkPatchFits(patch)
  return { ...(tags === null ? { tags } : {}), ...(desired === null ? { desired } : {}), ...patch }
}
