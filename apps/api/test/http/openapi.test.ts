import { permissions } from '@muster/auth'
import { errorCodes } from '@muster/contract'
import { throttleNames } from '@muster/runtime'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, openApi } from '../api.ts'

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
      'DELETE /devices/{deviceId}/modules/{moduleId}',
      'DELETE /jobs/{jobId}',
      'DELETE /schedules/{scheduleId}',
      'DELETE /sessions',
      'DELETE /webhooks/{id}',
      'GET /devices',
      'GET /devices/{deviceId}',
      'GET /devices/{deviceId}/modules',
      'GET /devices/{deviceId}/modules/{moduleId}',
      'GET /jobs',
      'GET /jobs/v2/events',
      'GET /jobs/v2/query',
      'GET /jobs/v2/stops/{stopId}',
      'GET /jobs/v2/{jobId}',
      'GET /jobs/v2/{jobId}/devices',
      'GET /jobs/v2/{jobId}/devices/{deviceId}/why',
      'GET /jobs/v2/{jobId}/events',
      'GET /jobs/v2/{jobId}/failures',
      'GET /jobs/v2/{jobId}/history',
      'GET /jobs/v2/{jobId}/lineage',
      'GET /jobs/v2/{jobId}/stages',
      'GET /jobs/v2/{jobId}/why',
      'GET /jobs/{jobId}',
      'GET /schedules',
      'GET /schedules/{scheduleId}',
      'GET /statistics/devices',
      'GET /statistics/service',
      'GET /twins/{deviceId}',
      'GET /twins/{deviceId}/modules/{moduleId}',
      'GET /webhooks',
      'GET /webhooks/{id}',
      'GET /webhooks/{id}/deliveries',
      'PATCH /jobs/v2/{jobId}',
      'PATCH /twins/{deviceId}',
      'PATCH /twins/{deviceId}/modules/{moduleId}',
      'POST /devices',
      'POST /devices/query',
      'POST /jobs/create',
      'POST /jobs/v2/preview',
      'POST /jobs/v2/stop',
      'POST /jobs/v2/stops/{stopId}/resume',
      'POST /jobs/v2/{jobId}/cancel',
      'POST /jobs/v2/{jobId}/devices/cancel',
      'POST /jobs/v2/{jobId}/devices/retry',
      'POST /jobs/v2/{jobId}/devices/skip',
      'POST /jobs/v2/{jobId}/devices/{deviceId}/cancel',
      'POST /jobs/v2/{jobId}/devices/{deviceId}/retry',
      'POST /jobs/v2/{jobId}/devices/{deviceId}/skip',
      'POST /jobs/v2/{jobId}/pause',
      'POST /jobs/v2/{jobId}/rerun',
      'POST /jobs/v2/{jobId}/resume',
      'POST /jobs/v2/{jobId}/stages/next',
      'POST /sessions',
      'POST /twins/{deviceId}/methods',
      'POST /twins/{deviceId}/modules/{moduleId}/methods',
      'POST /webhooks/{id}/deliveries/{eventId}/replay',
      'POST /webhooks/{id}/replay',
      'POST /webhooks/{id}/test',
      'PUT /devices/{deviceId}',
      'PUT /devices/{deviceId}/modules/{moduleId}',
      'PUT /jobs/v2/{deviceId}/methods/{jobId}',
      'PUT /jobs/v2/{jobId}',
      'PUT /schedules/{scheduleId}',
      'PUT /twins/{deviceId}',
      'PUT /twins/{deviceId}/modules/{moduleId}',
      'PUT /webhooks/{id}',
    ])
  })

  it('H16 is valid OpenAPI 3.1', async () => {
    const { body } = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })
    const validator = new Validator()

    const { valid, errors } = await validator.validate(body)

    expect({ valid, errors, version: validator.version }).toEqual({ valid: true, errors: undefined, version: '3.1' })
  })

  it('says of every address which permission it needs, what it counts as, and how large its body may be', async () => {
    const { body } = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })

    const described = Object.values<Record<string, { description: string }>>(body.paths)
      .flatMap((item) => Object.values(item))
      .map(({ description }) => description)

    const words = `Needs the permission (${permissions.join('|')})\\. Counts as (${throttleNames.join('|')})\\.( Its body may have (1|8|16) MiB\\.)?`
    expect(described.filter((text) => !new RegExp(`^${words}$`).test(text))).toEqual([])
    expect(described.length).toBeGreaterThan(10)
  })

  it('names every operation, each with another name, and fills in the api-version', async () => {
    const { body } = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })
    const operations = Object.values<Record<string, { operationId: string; parameters: { name: string }[] }>>(
      body.paths,
    ).flatMap((item) => Object.values(item))
    const names = operations.map(({ operationId }) => operationId)

    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(expect.arrayContaining(['createJob', 'cancelJob', 'getDeviceTwin', 'invokeModuleMethod']))
    for (const { parameters } of operations) {
      expect(parameters).toContainEqual(
        expect.objectContaining({
          name: 'api-version',
          required: true,
          schema: expect.objectContaining({ example: '2021-04-12' }),
        }),
      )
    }
  })

  it('H27 lists every error with its status, its code, and when it comes', async () => {
    const { body } = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })

    const rows = [...body.info.description.matchAll(/^\| (\d{3}) \| (\w+) \| (\d{6}) \| .{10,} \|$/gm)]
    expect(rows.map(([, status, name, code]) => [status, name, Number(code)])).toEqual(
      Object.entries(errorCodes).map(([name, code]) => [String(code).slice(0, 3), name, code]),
    )
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
