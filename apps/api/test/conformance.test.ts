import { queryCases, queryFleet, refusedCases, wholeFleet } from '@muster/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from './api.ts'
import { givenFleet } from './given-fleet.ts'
import { givenStartedJob } from './jobs/given-started-job.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  await givenFleet(api)
})
afterAll(async () => api[Symbol.asyncDispose]())

const query = (text: string) => api.send('POST', '/devices/query', { query: text })
const idsOf = (rows: readonly { deviceId: string }[]) => rows.map(({ deviceId }) => deviceId)

describe('Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q11 Q12 a query selects of a fleet', () => {
  it('all, as the cases of the language have them', async () => {
    const { body } = await query('SELECT * FROM devices')

    expect(body).toMatchObject(queryFleet)
  })

  for (const { point, condition, selects } of queryCases) {
    it(`${point}: ${condition}`, async () => {
      const reply = await query(`SELECT * FROM devices WHERE ${condition}`)

      expect(reply.status).toBe(200)
      expect(idsOf(reply.body)).toEqual(selects)
    })
  }
})

describe('Q2 Q3 Q4 Q5 Q6 Q7 Q8 Q9 Q10 Q11 Q12 a job is for', () => {
  const ofJobs = queryCases.filter(({ isOfQueries }) => !isOfQueries)
  for (const [index, { point, condition, selects }] of [wholeFleet, ...ofJobs].entries()) {
    it(`${point}: ${condition}`, async () => {
      const jobId = `case-${index}`
      const { key, started } = await givenStartedJob(api, jobId, condition)
      const frozen = await api.db.execute<{ deviceId: string }>(
        `select id as "deviceId"
           from chunks, unnest(device_ids) with ordinality as device (id, place)
          where job_key = ${key}
          order by chunk_no, place`,
      )
      const deviceJobs = await query(`SELECT * FROM devices.jobs WHERE jobId = '${jobId}'`)

      expect(started).toMatchObject({ kind: 'started', deviceCount: selects.length })
      expect(idsOf(frozen.rows)).toEqual(selects)
      expect(idsOf(deviceJobs.body)).toEqual(selects)
    })
  }

  const missing = ['', ' \n', null].map((condition) => [condition, 'queryCondition is missing or empty'] as const)
  const refused = refusedCases.map(({ condition, column }) => [condition, `Line 1:${column} found `] as const)

  it.each([...missing, ...refused])('Q14 nothing, and is not created, over %j', async (queryCondition, complaint) => {
    const { status, body } = await api.send('PUT', '/jobs/v2/refused', {
      type: 'scheduleDeviceMethod',
      cloudToDeviceMethod: { methodName: 'ring' },
      queryCondition,
    })
    const found = await api.send('GET', '/jobs/v2/refused')

    expect(status).toBe(400)
    expect(body.Message).toContain(complaint)
    expect(found.status).toBe(404)
  })
})

describe('Q14 a query is refused for', () => {
  const cases = [
    ...refusedCases,
    { point: 'nothing behind WHERE', condition: '', column: 29 },
    { point: 'the condition of a job for all devices', condition: '*', column: 29 },
  ]

  for (const { point, condition, column } of cases) {
    it(`${point}: ${condition}`, async () => {
      const refused = await query(`SELECT * FROM devices WHERE ${condition}`)

      expect(refused.status).toBe(400)
      expect(refused.body.Message).toContain(`Line 1:${column} found `)
    })
  }
})
