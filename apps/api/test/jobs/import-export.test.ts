import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

describe('import and export jobs', () => {
  it('are none: clients that list them beside the others get an empty list', async () => {
    const list = await api.send('GET', '/jobs')

    expect([list.status, list.body]).toEqual([200, []])
  })

  it.each(['GET', 'DELETE'])('%s of one is 404 JobNotFound', async (verb) => {
    const reply = await api.send(verb, '/jobs/an-export')

    expect([reply.status, reply.headers.get('iothub-errorcode')]).toEqual([404, 'JobNotFound'])
  })

  it('cannot be created, and the refusal says what to use', async () => {
    const reply = await api.send('POST', '/jobs/create', { type: 'export', outputBlobContainerUri: 'https://x' })

    expect([reply.status, reply.headers.get('iothub-errorcode')]).toEqual([400, 'InvalidOperation'])
    expect(reply.body.Message).toContain('POST /devices changes up to 100 devices')
  })

  it('leave the other jobs where they are: an unknown one is 404', async () => {
    const reply = await api.send('GET', '/jobs/v2/unknown')

    expect([reply.status, reply.headers.get('iothub-errorcode')]).toEqual([404, 'JobNotFound'])
  })

  it.each([
    ['GET', '/jobs'],
    ['GET', '/jobs/x'],
    ['DELETE', '/jobs/x'],
    ['POST', '/jobs/create'],
  ])('%s %s needs RegistryWrite', async (verb, path) => {
    const refused = await Promise.all(
      ['service', 'registryRead'].map((policy) => api.send(verb, path, undefined, { policy })),
    )
    const allowed = await api.send(verb, path, undefined, { policy: 'registryReadWrite' })

    expect(refused.map(({ status }) => status)).toEqual([401, 401])
    expect(allowed.status).not.toBe(401)
  })
})
