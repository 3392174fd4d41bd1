import { isJsonObject, type Json, type JsonObject } from '@muster/contract'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Db } from '../../src/postgres/sql.ts'
import { deleteIdentities, insertIdentities } from '../../src/registry/identities.ts'
import { checkPatchFits } from '../../src/twins/patch.ts'
import { patchTwins } from '../../src/twins/sets.ts'
import { patchTwin, readTwin } from '../../src/twins/twins.ts'
import { deviceId, draft, givenDevice, report } from '../fleet.ts'
import { on, openStore } from '../jobs/engine.ts'
import { section, wholePatch } from './arbitrary-section.ts'
import { mergePatch, mergeStamps } from './reference-merge.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

describe('a compiled patch', () => {
  it('T3 T9 merges into many different twins at once as the reference does, values and metadata', async () => {
    const fleet = fc.array(fc.record({ tags: section, desired: section }), { minLength: 1, maxLength: 6 })
    const patches = fc.array(fc.record({ tags: wholePatch, desired: wholePatch }, { requiredKeys: [] }), {
      minLength: 1,
      maxLength: 3,
    })

    await fc.assert(
      fc.asyncProperty(fleet, patches, fc.nat({ max: 5 }), async (twins, steps, ahead) => {
        const ids = twins.map((_, index) => deviceId(`d${index}`))
        await insertIdentities(
          db,
          twins.map((twin, index) => draft(`d${index}`, twin)),
          on('12:00:00'),
        )
        const expected = await Promise.all(ids.map((id) => readSections(id)))

        // Some are ahead of the others by a version.
        await patchTwins(db, ids.slice(0, ahead), { desired: { ahead: 1 } }, on('12:30:00'))
        for (const twin of expected.slice(0, ahead)) applyByReference(twin, { desired: { ahead: 1 } }, on('12:30:00'))
        for (const [minute, step] of steps.entries()) {
          const now = on(`13:0${minute}:00`)
          await patchTwins(db, ids, step, now)
          for (const twin of expected) applyByReference(twin, step, now)
        }

        expect(await Promise.all(ids.map((id) => readSections(id)))).toEqual(expected)
        await deleteIdentities(db, ids)
      }),
      { numRuns: 150 },
    )
  })

  it('T3 T9 does the same to what a device reports, with stamps that have no version', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(wholePatch, { minLength: 1, maxLength: 4 }), async (steps) => {
        const id = await givenDevice(db, 'reporter')
        let expected: { value: JsonObject; metadata: JsonObject } = {
          value: {},
          metadata: { $lastUpdated: on('12:00:00').toISOString() },
        }

        for (const [minute, step] of steps.entries()) {
          const now = on(`13:0${minute}:00`)
          await report(db, id, step, { now })
          expected = {
            value: mergePatch(expected.value, step),
            metadata: mergeStamps(expected.metadata, step, { $lastUpdated: now.toISOString() }),
          }
        }

        const { $metadata, $version, ...value } = propertiesOf(await readTwin(db, id), 'reported')
        expect({ value, metadata: $metadata, version: $version }).toEqual({ ...expected, version: 1 + steps.length })
        await deleteIdentities(db, [id])
      }),
      { numRuns: 100 },
    )
  })

  it('T4 replaces an array under a patched path, and does not step into it', async () => {
    const id = await givenDevice(db, 'array', { desired: { list: [{ kept: 1 }], deep: { list: [{ kept: 1 }] } } })

    await patchTwin(
      db,
      id,
      { desired: { list: { 0: { x: 1 } }, deep: { list: { 0: { x: 1 } } } } },
      { etag: null },
      on('13:00:00'),
    )

    expect((await readSections(id)).desired).toEqual({ list: { 0: { x: 1 } }, deep: { list: { 0: { x: 1 } } } })
  })

  it('T5 takes more than 100 nested objects at one level', async () => {
    const id = await givenDevice(db, 'wide', { desired: { r7: { old: true } } })
    const registers = Object.fromEntries(Array.from({ length: 1200 }, (_, index) => [`r${index}`, { v: index }]))

    await patchTwin(db, id, { desired: registers }, { etag: null }, on('13:00:00'))

    expect((await readSections(id)).desired).toEqual({ ...registers, r7: { old: true, v: 7 } })
  })

  it('T5 refuses a patch of more nested objects than one statement takes', () => {
    const deep = (levels: number, width: number): JsonObject =>
      levels === 0
        ? Object.fromEntries(Array.from({ length: width }, (_, index) => [`k${index}`, {}]))
        : { k: deep(levels - 1, width) }

    expect(() => checkPatchFits({ desired: deep(8, 1500) })).toThrow(
      expect.objectContaining({ code: 'ArgumentInvalid' }),
    )
  })
})

interface Sections {
  tags: JsonObject
  desired: JsonObject
  metadata: JsonObject
  desiredVersion: number
}

function applyByReference(
  twin: Sections,
  step: { tags?: JsonObject | null; desired?: JsonObject | null },
  now: Date,
): void {
  if (step.tags !== undefined) twin.tags = mergePatch(twin.tags, step.tags)
  if (step.desired === undefined) return
  twin.desired = mergePatch(twin.desired, step.desired)
  twin.desiredVersion += 1
  twin.metadata = mergeStamps(twin.metadata, step.desired, {
    $lastUpdated: now.toISOString(),
    $lastUpdatedVersion: twin.desiredVersion,
  })
}

async function readSections(id: ReturnType<typeof deviceId>): Promise<Sections> {
  const twin = await readTwin(db, id)
  const { $metadata, $version, ...desired } = propertiesOf(twin, 'desired')
  return { tags: objectOf(twin?.tags ?? {}), desired, metadata: objectOf($metadata), desiredVersion: Number($version) }
}

function propertiesOf(twin: JsonObject | null, name: 'desired' | 'reported'): JsonObject {
  return objectOf(objectOf(twin?.properties)[name])
}

function objectOf(value: Json | undefined): JsonObject {
  if (!isJsonObject(value)) throw new Error(`expected an object, got ${JSON.stringify(value)}`)
  return value
}
