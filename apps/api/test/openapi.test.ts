import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from './api.ts'

let api: Api
beforeAll(async () => {
  api = await openApi()
})
afterAll(async () => api[Symbol.asyncDispose]())

describe('the document', () => {
  it('needs no token, and describes every address', async () => {
    const reply = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })

    const methods = Object.entries<object>(reply.body.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(reply.status).toBe(200)
    expect(reply.body.openapi).toBe('3.1.0')
    expect(methods.sort()).toEqual([
      'DELETE /devices/{deviceId}',
      'GET /devices',
      'GET /devices/{deviceId}',
      'GET /jobs/v2/query',
      'GET /jobs/v2/{jobId}',
      'GET /twins/{deviceId}',
      'PATCH /twins/{deviceId}',
      'POST /devices',
      'POST /devices/query',
      'POST /jobs/v2/{jobId}/cancel',
      'POST /twins/{deviceId}/methods',
      'PUT /devices/{deviceId}',
      'PUT /jobs/v2/{deviceId}/methods/{jobId}',
      'PUT /jobs/v2/{jobId}',
    ])
  })

  it('holds no reference that leads nowhere', async () => {
    const { body } = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })

    const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    )
    expect(references.length).toBeGreaterThan(10)
    expect(Object.keys(body.components.schemas)).toEqual(expect.arrayContaining(references))
  })
})

describe('a served request', () => {
  it('is counted under the pattern of its address, and under none where there is none', async () => {
    const served: string[] = []
    const off = api.events.on('requestServed', ({ method, route, status }) =>
      served.push(`${method} ${route} ${status}`),
    )

    await api.send('GET', '/jobs/v2/a-job-of-mine')
    await api.send('GET', '/somewhere/else')
    off()

    expect(served).toEqual(['GET /jobs/v2/{jobId} 404', 'GET none 404'])
  })
})
