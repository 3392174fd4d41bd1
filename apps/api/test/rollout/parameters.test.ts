// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so the parameters of a job are written
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

const methodJob = (payload: unknown) => ({
  type: 'scheduleDeviceMethod',
  cloudToDeviceMethod: { methodName: 'show', payload },
  deviceIds: ['pump-1'],
})
const twinJob = (tags: unknown) => ({
  type: 'scheduleUpdateTwin',
  updateTwin: { etag: '*', tags },
  deviceIds: ['pump-1'],
})

it('R95 a job shows its parameters as they were given', async () => {
  const given = { parameters: { onMissing: 'null' } }
  const method = await api.send('PUT', '/jobs/v2/method', { ...methodJob('${deviceId}'), ...given })
  const twin = await api.send('PUT', '/jobs/v2/twin', { ...twinJob({ a: 'at ${tags.site}' }), ...given })

  expect([method.status, twin.status]).toEqual([200, 200])
  expect((await api.send('GET', '/jobs/v2/method')).body).toMatchObject({
    cloudToDeviceMethod: { payload: '${deviceId}' },
    ...given,
  })
  expect((await api.send('GET', '/jobs/v2/twin')).body).toMatchObject({
    updateTwin: { tags: { a: 'at ${tags.site}' } },
    ...given,
  })
})

it('R95 without the member a job may have any text', async () => {
  const method = await api.send('PUT', '/jobs/v2/plain-method', methodJob('${what ever'))
  const twin = await api.send('PUT', '/jobs/v2/plain-twin', twinJob({ a: '${}' }))

  expect([method.status, twin.status]).toEqual([200, 200])
})

it.each([
  ['a payload', { ...methodJob({ a: ['${tag.site}'] }), parameters: {} }, 'cloudToDeviceMethod.payload: "${tag.site}"'],
  ['a patch', { ...twinJob({ a: 'x ${tags' }), parameters: {} }, 'updateTwin: "${tags" names nothing, expected'],
  ['an empty one', { ...twinJob({ a: '${}' }), parameters: {} }, 'updateTwin: "${}" names nothing'],
  [
    'onMissing',
    { ...methodJob(null), parameters: { onMissing: 'empty' } },
    'parameters.onMissing must be one of fail, null',
  ],
  ['a name', { ...methodJob(null), parameters: { onMising: 'null' } }, 'parameters.onMising is not known'],
  ['the member', { ...methodJob(null), parameter: {} }, 'parameter is not known. The nearest is parameters'],
])('R96 bad %s is refused, and names itself', async (_, body, message) => {
  const { status, body: answer } = await api.send('PUT', '/jobs/v2/refused', body)

  expect(status).toBe(400)
  expect(answer.Message).toContain(message)
})
