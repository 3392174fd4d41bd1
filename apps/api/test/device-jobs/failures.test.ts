import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'
import { recordOutcomes } from './record-outcomes.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
  const numbers = Array.from({ length: 40 }, (_, n) => n)
  const tags = (n: number) => ({ firmware: n < 12 ? '1.2.3' : '1.3.0', site: { building: n % 4 } })
  await api.send(
    'POST',
    '/devices',
    numbers.map((n) => ({ id: `d${n}`, importMode: 'create', tags: tags(n) })),
  )
  await givenStartedJob(api, 'j1', '*')
  const error = { code: 'GatewayTimeout', description: 'no answer' }
  await recordOutcomes(api, [
    ...numbers.slice(0, 12).map((n) => ({ deviceId: `d${n}`, error })),
    { deviceId: 'd39', error: { code: 'GenericBadGateway', description: 'torn' } },
  ])
})
afterAll(() => api[Symbol.asyncDispose]())

const failures = (query = '') => api.send('GET', `/jobs/v2/j1/failures${query}`)

describe('the failures of a job', () => {
  it('D5 are grouped, and D6 say what the devices of a group have in common', async () => {
    const { body } = await failures()

    expect(body).toEqual({
      jobId: 'j1',
      deviceCount: 40,
      failedCount: 13,
      sampledCount: 40,
      comparedTags: ['tags.firmware', 'tags.site.building'],
      groups: [
        {
          code: 'GatewayTimeout',
          text: 'no answer',
          count: 12,
          sampledCount: 12,
          sampleDeviceIds: ['d0', 'd1', 'd10', 'd11', 'd2'],
          overRepresented: [
            { path: 'tags.firmware', value: '1.2.3', count: 12, share: 1, targetShare: 0.3, lift: 3.333 },
          ],
        },
        {
          code: 'GenericBadGateway',
          text: 'torn',
          count: 1,
          sampledCount: 1,
          sampleDeviceIds: ['d39'],
          overRepresented: [],
        },
      ],
    })
  })

  it('D6 compare the tags that the caller names, with or without the word before them', async () => {
    const { body } = await failures('?tags=site.building,%20tags.firmware')

    expect(body.comparedTags).toEqual(['tags.site.building', 'tags.firmware'])
    expect(body.groups[0].overRepresented).toMatchObject([{ path: 'tags.firmware' }])
  })

  it.each(['a..b', 'a.', '$x', 'a%20b', '%00', 'a%07'])('D6 refuse tags=%s', async (tags) => {
    const { status, body } = await failures(`?tags=firmware,${tags}`)

    expect(status).toBe(400)
    expect(body.Message).toContain('tags must be paths of tags such as firmware or site.building')
  })

  it('D6 refuse more than twenty tags', async () => {
    const { status, body } = await failures(`?tags=${Array.from({ length: 21 }, (_, n) => `t${n}`).join()}`)

    expect(status).toBe(400)
    expect(body.Message).toContain('tags must name at most 20 paths, got 21')
  })

  it('are not found where there is no such job', async () => {
    const { status, headers } = await api.send('GET', '/jobs/v2/nobody/failures')

    expect([status, headers.get('iothub-errorcode')]).toEqual([404, 'JobNotFound'])
  })
})
