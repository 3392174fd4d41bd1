import type { JsonObject } from '@muster/contract'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Db } from '../../src/postgres/sql.ts'
import { deleteIdentities, insertIdentities } from '../../src/registry/identities.ts'
import { readProperties, readTwin, replaceTwin } from '../../src/twins/twins.ts'
import { deviceId, draft, givenDevice, report } from '../fleet.ts'
import { noon, on, openStore } from '../jobs/engine.ts'
import { section } from './arbitrary-section.ts'
import { mergePatch, mergeStamps } from './reference-merge.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

const unconditional = { etag: null }

describe('replacing a twin', () => {
  it('T14 T16 sets any sections over any others, stamps every level, and tells what leads there', async () => {
    await fc.assert(
      fc.asyncProperty(section, section, section, async (before, tags, desired) => {
        const id = deviceId('any')
        await insertIdentities(db, [draft('any', { tags: before, desired: before })], noon)

        const replaced = await replaceTwin(db, id, { tags, desired }, unconditional, on('13:00:00'))

        const stamp = { $lastUpdated: '2026-03-02T13:00:00.000Z', $lastUpdatedVersion: 2 }
        const twin = replaced.kind === 'changed' ? replaced.twin : {}
        const told = replaced.kind === 'changed' ? replaced.desired : null
        expect(twin.tags ?? {}).toEqual(tags)
        expect((twin.properties as JsonObject).desired).toEqual({
          ...desired,
          $metadata: mergeStamps({}, desired, stamp),
          $version: 2,
        })
        expect(mergePatch(before, told?.patch ?? null)).toEqual(desired)
        await deleteIdentities(db, ['any'])
      }),
      { numRuns: 60 },
    )
  })

  it('T14 raises the versions by one, and leaves what the device reports', async () => {
    const id = await givenDevice(db, 'versions', { desired: { a: 1 } })
    await report(db, id, { fw: '2' })

    const replaced = await replaceTwin(db, id, { tags: {}, desired: {} }, { etag: 'AAAAAAAAAAE=' }, noon)

    expect(replaced).toEqual({
      kind: 'changed',
      twin: await readTwin(db, id),
      etag: 'AAAAAAAAAAI=',
      desired: { patch: { a: null }, versions: [{ identity: 'versions', version: 2 }] },
    })
    expect(await readTwin(db, id)).toMatchObject({ version: 4 })
    expect(await readProperties(db, id)).toEqual({
      desired: { $version: 2 },
      reported: { fw: '2', $version: 2 },
    })
  })

  it('T8 T10 changes nothing when the twin has another etag, is not there, or would be too large', async () => {
    const id = await givenDevice(db, 'refused', { tags: { floor: 1 } })
    const tooLarge = { tags: { text: 'x'.repeat(9000) }, desired: {} }

    expect(await replaceTwin(db, id, { tags: {}, desired: {} }, { etag: 'AAAA' }, noon)).toEqual({ kind: 'etag' })
    expect(await replaceTwin(db, deviceId('nobody'), { tags: {}, desired: {} }, unconditional, noon)).toEqual({
      kind: 'missing',
    })
    await expect(replaceTwin(db, id, tooLarge, unconditional, noon)).rejects.toMatchObject({ code: 'ArgumentInvalid' })
    expect(await readTwin(db, id)).toMatchObject({ tags: { floor: 1 }, version: 2 })
  })
})
