import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { expectAnswer } from '../expect-answer.ts'
import { givenFleet } from '../given-fleet.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'
import { arbitraryQuery } from './arbitrary-query.ts'

const numRuns = Number(process.env.MUSTER_TEST_FUZZ_RUNS) || 500

let api: Api
beforeAll(async () => {
  api = await openApi()
  await givenFleet(api)
  await givenStartedJob(api, 'ring', '*')
})
afterAll(async () => api[Symbol.asyncDispose]())

const valid = [
  'SELECT * FROM devices',
  "SELECT TOP 2 * FROM devices WHERE tags.depot = 'harbour' AND NOT (tags.line NIN [1, -2.5, 'x', null, true])",
  'SELECT deviceId, properties.reported.radio.kind AS kind FROM devices WHERE tags.[[bay-no]] % 5 <= 0x1F /* c */ -- end',
  "select * from devices.jobs where devices.jobs.jobId = 'a\\u0062\\'c' or startTimeUtc > \"2026-03-01\"",
  'SELECT COUNT() AS n, AVG(tags.line), MAX(properties.reported.load) AS most FROM devices WHERE IS_DEFINED(tags)',
  "SELECT tags.depot, COUNT() AS n, SUM(tags.line) FROM devices WHERE tags['x-y'] != undefined GROUP BY tags.depot",
]

const pieces = [
  '(',
  ')',
  '[',
  ']',
  '[[',
  ']]',
  "'",
  '"',
  '\\',
  '.',
  ',',
  '-',
  '--',
  '=',
  ' ',
  '\n',
  ';',
  '*',
  '/*',
  '*/',
  '$1',
  '%',
  ' AND ',
  ' NOT ',
  ' IN ',
  ' AS ',
  ' TOP 0 ',
  ' GROUP BY ',
  'COUNT(',
  'devices.',
  '\u0000',
  '\ufeff',
  'é',
  '😀',
]

describe('Q14 a query is answered with rows, or with what is wrong and where', () => {
  it('whatever follows the grammar', async () => {
    const statuses: number[] = []
    await fc.assert(
      fc.asyncProperty(arbitraryQuery, async (text) => {
        statuses.push(await expectAnswer(api, text))
      }),
      { numRuns },
    )

    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(numRuns / 4)
  }, 3_600_000)

  it('whatever has become of a valid query', async () => {
    const piece = fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 }))
    const change = fc.tuple(fc.nat(120), fc.nat(10), piece)
    const changed = fc
      .tuple(fc.oneof(fc.constantFrom(...valid), arbitraryQuery), fc.array(change, { minLength: 1, maxLength: 4 }))
      .map(([text, changes]) =>
        changes
          .reduce((before, [at, length, inserted]) => before.slice(0, at) + inserted + before.slice(at + length), text)
          .toWellFormed(),
      )

    await fc.assert(
      fc.asyncProperty(changed, async (text) => void (await expectAnswer(api, text))),
      { numRuns },
    )
  }, 3_600_000)

  it('whatever text it is', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1 }),
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.string({ unit: fc.constantFrom(...pieces, ...`SELECTFROMWHERdevicsab01e+5<>!`), minLength: 1, maxLength: 60 }),
      fc
        .array(fc.constantFrom(...valid.flatMap((one) => one.split(' '))), { minLength: 1, maxLength: 30 })
        .map((words) => words.join(' ')),
    )

    await fc.assert(
      fc.asyncProperty(text, async (one) => void (await expectAnswer(api, one))),
      { numRuns },
    )
  }, 3_600_000)

  it('whatever bytes the body is made of', async () => {
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(
          fc.constantFrom('{"query":"', '{"query":', '[', '"'),
          fc.uint8Array({ maxLength: 60 }),
          fc.constantFrom('"}', '}', ''),
        )
        .map(([head, bytes, tail]) => Buffer.concat([Buffer.from(head), bytes, Buffer.from(tail)])),
      fc.json().map((json) => Buffer.from(`{"query":${json}}`)),
    )

    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const { status, body: error } = await api.send('POST', '/devices/query', undefined, { text })

        expect(status).toBe(400)
        expect(error.Message).toMatch(/Line \d+:\d+ found |the body |query (?:must|is missing)/)
      }),
      { numRuns },
    )
  }, 3_600_000)
})
