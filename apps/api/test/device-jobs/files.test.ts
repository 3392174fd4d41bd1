import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, hostName, openApi, tokenOf } from '../api.ts'
import { givenStartedJob } from '../jobs/given-started-job.ts'
import { readCsv } from './read-csv.ts'
import { type RecordedOutcome, recordOutcomes } from './record-outcomes.ts'

/** Ids that the registry allows and a spreadsheet would evaluate, or that need quotes. */
const evilIds = ['=1+1', '+1', '-1', '@sum(1)', "'quoted", 'a,b', 'a;b', '%0d', 'plain', '=cmd,$1', "''", '#x']
const evilPayloads = [
  '"=1+1"',
  '"a,\\"b\\"\\r\\n=c"',
  '"\\u0000"',
  '-7',
  '9007199254740993',
  '{"text":"＝1＋1","quote":"\\""}',
  'null',
  '[1,\n 2]',
] as const
const evilTexts = ['＝1', '－1', '＋1', '＠1', '\t=1', '\r\n=1', '"', ',', "'", '']

const outcomes: readonly RecordedOutcome[] = evilIds.map((deviceId, index) =>
  index < evilPayloads.length
    ? { deviceId, response: `{"status":${200 - index},"payload":${evilPayloads[index]}}` }
    : { deviceId, error: { code: 'GatewayTimeout', description: evilTexts[index - evilPayloads.length] ?? '' } },
)

let api: Api
beforeAll(async () => {
  api = await openApi()
  const devices = evilIds.map((id) => ({ id, importMode: 'create' }))
  await api.send('POST', '/devices', devices)
  await givenStartedJob(api, 'j1+*&', '*')
  await recordOutcomes(api, outcomes)
})
afterAll(() => api[Symbol.asyncDispose]())

const address = `/jobs/v2/${encodeURIComponent('j1+*&')}/devices`

async function load(query: string, method = 'GET') {
  const url = `https://${hostName}${address}?api-version=2021-04-12&${query}`
  return api.app.request(url, { method, headers: { authorization: tokenOf(api, 'iothubowner') } })
}

describe('a file of the devices of a job', () => {
  it('D4 as CSV reads back to the rows, whatever ids, texts and payloads hold', async () => {
    const response = await load('format=csv')
    const listed = await api.send('GET', address)

    const text = await response.text()
    expect(readCsv(text)).toEqual(
      listed.body.items.map((item: { deviceId: string; error?: { code: string; description: string } }) => {
        const { outcome, cloudToDeviceMethod, error, ...members } = JSON.parse(JSON.stringify(item))
        const stored = outcomes.find(({ deviceId }) => deviceId === item.deviceId)?.response ?? ''
        const [, status = '', payload = ''] = /^\{"status":(\d+),"payload":(.*)\}$/s.exec(stored) ?? []
        const cells = { ...members, deliveries: String(members.deliveries), errorCode: '', errorDescription: '' }
        if (error !== undefined) Object.assign(cells, { errorCode: error.code, errorDescription: error.description })
        return { ...cells, responseStatus: status, responsePayload: payload }
      }),
    )
  })

  it('D4 as CSV has no cell that a spreadsheet would evaluate', async () => {
    const text = await (await load('format=csv')).text()

    const cells = [...text.matchAll(/(?<=^|,|\n)(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?=,|\r\n)/g)].map(
      ([, quoted, plain]) => quoted ?? plain ?? '',
    )
    expect(cells.length).toBeGreaterThan(14 * evilIds.length)
    expect(cells.filter((cell) => /^[=+\-@\t\r\n＝＋－＠]/.test(cell))).toEqual([])
  })

  it('D4 as NDJSON has the rows of the list, one a line', async () => {
    const response = await load('format=NDJSON')
    const listed = await api.send('GET', address)

    const lines = (await response.text()).split('\n').slice(0, -1)
    expect(lines.map((line) => JSON.parse(line))).toEqual(listed.body.items)
    expect(lines.join()).toContain('"payload":9007199254740993}')
  })

  it('D4 has only the devices that the filter selects', async () => {
    const text = await (await load('format=csv&errorCode=GatewayTimeout')).text()

    expect(
      readCsv(text)
        .map(({ deviceId }) => deviceId)
        .toSorted(),
    ).toEqual(evilIds.slice(evilPayloads.length).toSorted())
  })

  it.each([
    ['csv', 'text/csv; charset=utf-8; header=present'],
    ['ndjson', 'application/x-ndjson; charset=utf-8'],
  ])('D4 as %s has a type and a name that is safe in a header', async (format, type) => {
    const { headers } = await load(`format=${format}`)

    expect(headers.get('content-type')).toBe(type)
    expect(headers.get('content-disposition')).toBe(`attachment; filename="devices-of-j1___.${format}"`)
  })

  it('D4 of a job without such devices has its head alone', async () => {
    expect(await (await load('format=csv&status=running')).text()).toMatch(/^deviceId,[\w,]+\r\n$/)
    expect(await (await load('format=ndjson&status=running')).text()).toBe('')
  })

  it('D8 is not begun by HEAD, however often', async () => {
    for (let count = 0; count < 20; count++) expect((await load('format=csv', 'HEAD')).status).toBe(200)

    expect((await load('format=csv')).status).toBe(200)
  })
})
