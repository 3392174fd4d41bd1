import type { JsonObject } from '@muster/contract'
import { aggregate, evaluate, parseQuery, project, type Query, QueryError, type Selection } from '@muster/query'
import { canonicalJson } from '@muster/testkit'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { givenFleet } from '../given-fleet.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'
import { arbitraryQuery } from './arbitrary-query.ts'

const numRuns = Number(process.env.MUSTER_TEST_FUZZ_RUNS) || 500

let api: Api
let documents: Readonly<Record<Query['source'], readonly JsonObject[]>>
beforeAll(async () => {
  api = await openApi()
  await givenFleet(api)
  await givenModules()
  await givenStartedJob(api, 'ring', '*')
  await givenStartedJob(api, 'knock', 'tags.line > 0')
  documents = {
    devices: (await allPages('SELECT * FROM devices', 100)).rows,
    'devices.modules': (await allPages('SELECT * FROM devices.modules', 100)).rows,
    'devices.jobs': (await allPages('SELECT * FROM devices.jobs', 100)).rows,
  }
})
afterAll(async () => api[Symbol.asyncDispose]())

/** Two for each device, the one with the tags of its device and the other with its properties. */
async function givenModules(): Promise<void> {
  const key = `device_id || '/' || module`
  const modules = `cross join (values ('door'), ('Lamp')) as m (module)`
  await api.db.execute(`
    insert into devices (device_id, generation_id, created_at) select ${key}, '1', created_at from devices ${modules}`)
  await api.db.execute(`
    insert into twins (device_id, tags, desired, reported)
    select ${key}, case module when 'door' then tags else '{}' end,
           case module when 'door' then '{}' else desired end, case module when 'door' then '{}' else reported end
      from twins ${modules}`)
}

const itemTypes: Readonly<Record<Selection['kind'], string>> = {
  documents: 'Twin',
  projection: 'Raw',
  grouping: 'Raw',
}

interface Answer {
  readonly rows: readonly JsonObject[]
  readonly itemType: string | null
}

async function allPages(text: string, size: number): Promise<Answer> {
  const rows: JsonObject[] = []
  let token = ''
  for (;;) {
    const headers = { 'x-ms-max-item-count': String(size), 'x-ms-continuation': token }
    const reply = await api.send('POST', '/devices/query', { query: text }, { headers })
    expect(reply.status, JSON.stringify(reply.body)).toBe(200)
    expect(reply.body.length).toBeLessThanOrEqual(size)
    rows.push(...reply.body)
    token = reply.headers.get('x-ms-continuation') ?? ''
    if (token === '') return { rows, itemType: reply.headers.get('x-ms-item-type') }
  }
}

it('Q16 Q20 Q22 Q28 the rows of a query, page by page, are those of the reference', async () => {
  expect(documents['devices.modules']).toHaveLength(2 * documents.devices.length)
  const counts = { documents: 0, projection: 0, grouping: 0 }
  const readable = arbitraryQuery.filter(isReadable)
  const property = fc.asyncProperty(readable, fc.integer({ min: 1, max: 7 }), async (text, pageSize) => {
    const query = parseQuery(text)
    counts[query.select.kind] += 1
    const selected = documents[query.source].filter((document) => evaluate(query.where, document))

    const { rows, itemType } = await allPages(text, pageSize)

    expect(itemType).toBe(query.source === 'devices.jobs' ? 'DeviceJob' : itemTypes[query.select.kind])
    expectRows(query, rows, rowsOf(query.select, selected))
  })

  await fc.assert(property, { numRuns })
  process.stdout.write(
    `rows of ${counts.documents} queries of documents, ${counts.projection} projections, ${counts.grouping} aggregate queries\n`,
  )
}, 3_600_000)

function isReadable(text: string): boolean {
  try {
    parseQuery(text)
    return true
  } catch (error) {
    if (error instanceof QueryError) return false
    throw error
  }
}

function rowsOf(select: Selection, selected: readonly JsonObject[]): readonly JsonObject[] {
  switch (select.kind) {
    case 'documents':
      return selected
    case 'projection':
      return selected.map((document) => project(select, document))
    case 'grouping':
      return aggregate(select, selected)
  }
}

/** Groups come in an order of the hub's own; TOP takes any of them. */
function expectRows({ select, top }: Query, rows: readonly JsonObject[], reference: readonly JsonObject[]): void {
  const count = Math.min(reference.length, top ?? reference.length)
  if (select.kind !== 'grouping') {
    expect(rows).toEqual(reference.slice(0, count))
    return
  }
  expect(rows).toHaveLength(count)
  const [found, possible] = [rows, reference].map((some) =>
    some.map((row) => canonicalJson(Object.entries(row))).sort(),
  )
  expect(possible).toEqual(expect.arrayContaining(found ?? []))
  if (count === reference.length) expect(found).toEqual(possible)
}
