import { Registry } from 'azure-iothub'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHub, type TestHub } from '../../hub.ts'
import { redirectSdks } from '../redirect.ts'

const deviceIds = Array.from({ length: 10_000 }, (_, n) => `lift-${String(n).padStart(5, '0')}`)
const pageSize = 100

let hub: TestHub
let restore: () => void
let registry: Registry

beforeAll(async () => {
  hub = await startHub()
  restore = redirectSdks(hub)
  registry = Registry.fromConnectionString(hub.connectionString)
  await registerAll(deviceIds)
})

afterAll(async () => {
  restore()
  await hub[Symbol.asyncDispose]()
})

describe('a query of the unmodified service SDK', () => {
  it('meets each of 10,000 twins exactly once while another client registers devices', async () => {
    const other = Registry.fromConnectionString(hub.connectionString)
    const query = registry.createQuery('SELECT * FROM devices', pageSize)
    const seen: string[] = []
    const registeredAhead: string[] = []
    for (let page = 1000; query.hasMoreResults; page++) {
      const last = seen.at(-1) ?? 'lift'
      const [{ result }] = await Promise.all([
        query.nextAsTwin(),
        register(other, [`early-${page}`, `${last}-during`, `lift-05000-during-${page}`, `zone-${page}-during`]),
      ])
      seen.push(...result.map(({ deviceId }) => deviceId))
      if (!query.hasMoreResults) break
      const ahead = [`${seen.at(-1)}-ahead`, `zone-${page}-ahead`]
      await register(other, [`early-${page}-behind`, ...ahead])
      registeredAhead.push(...ahead)
    }

    expect(seen.filter((deviceId) => /^lift-\d{5}$/.test(deviceId))).toEqual(deviceIds)
    expect(seen).toEqual([...new Set(seen)].sort())
    // What was registered before a page was asked for, behind all that was read, is no accident: it is there.
    expect(seen).toEqual(expect.arrayContaining(registeredAhead))
    expect(registeredAhead.length).toBeGreaterThanOrEqual(2 * (deviceIds.length / pageSize - 1))
  })

  it('gets the rows of a projection and of aggregates as they are', async () => {
    await registry.updateTwin('lift-00007', { tags: { depot: 'north' } }, '*')
    const where = "WHERE deviceId IN ['lift-00006', 'lift-00007', 'lift-00008']"
    const projection = registry.createQuery(`SELECT deviceId, tags.depot AS depot FROM devices ${where}`, 2)
    const groups = registry.createQuery(`SELECT tags.depot, COUNT() AS lifts FROM devices ${where} GROUP BY tags.depot`)

    const first = await projection.next()
    const second = await projection.next(projection.continuationToken)
    const grouped = await groups.next()

    expect(first.result).toEqual([{ deviceId: 'lift-00006' }, { deviceId: 'lift-00007', depot: 'north' }])
    expect(second.result).toEqual([{ deviceId: 'lift-00008' }])
    expect(projection.hasMoreResults).toBe(false)
    expect(grouped.result).toHaveLength(2)
    expect(grouped.result).toEqual(expect.arrayContaining([{ lifts: 2 }, { depot: 'north', lifts: 1 }]))
  })

  it('is refused the token of another query', async () => {
    const first = registry.createQuery('SELECT * FROM devices', 10)
    await first.next()
    const narrower = registry.createQuery("SELECT * FROM devices WHERE deviceId != 'lift-00000'", 10)

    const refused = narrower.next(first.continuationToken)

    await expect(refused).rejects.toMatchObject({ name: 'ArgumentError', response: { statusCode: 400 } })
  })
})

async function register(client: Registry, ids: readonly string[]): Promise<void> {
  const { responseBody } = await client.addDevices(ids.map((deviceId) => ({ deviceId })))
  expect(responseBody).toMatchObject({ isSuccessful: true })
}

/** 100 with each request, which is the most that one may hold, and four requests at a time. */
async function registerAll(ids: readonly string[]): Promise<void> {
  const starts = Array.from({ length: ids.length / 100 }, (_, chunk) => chunk * 100).values()
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (const start of starts) await register(registry, ids.slice(start, start + 100))
    }),
  )
}
