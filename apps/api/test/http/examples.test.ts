import { gatewayId, jsonText } from '@muster/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Api, connectDevice, hostName, openApi, tokenOf } from '../api.ts'

interface Schema {
  readonly $ref?: string
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly example?: string
  readonly enum?: readonly string[]
}
interface Content {
  readonly 'application/json'?: { readonly schema: Schema; readonly example?: unknown }
}
interface Operation {
  readonly operationId: string
  readonly parameters: readonly { readonly in: string; readonly name: string; readonly schema: Schema }[]
  readonly requestBody?: { readonly content: Content }
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>
}
interface Described extends Operation {
  readonly method: string
  readonly path: string
}

let api: Api
let operations: readonly Described[]
let schemas: Readonly<Record<string, Schema>>
let door: AsyncDisposable
beforeAll(async () => {
  // The webhook of the examples leads to this machine, where nobody listens: a test of it says so.
  api = await openApi({ allowedNetworks: ['127.0.0.0/8'], resolve: async () => [{ address: '127.0.0.1', family: 4 }] })
  const { body } = await api.send('GET', '/openapi.json', undefined, { authorization: null, apiVersion: null })
  schemas = body.components.schemas
  operations = Object.entries<Record<string, Operation>>(body.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  )
  await api.send('PUT', '/devices/demo-001', {})
  await connectDevice(api, 'demo-001', 'gateway-1')
  door = await api.bus.serveGateway(gatewayId('gateway-1'), {
    call: ({ targets: [target] }, report) =>
      report({ identity: target?.identity ?? '', kind: 'answered', status: 200, payload: jsonText(null) }),
    dropCall: () => {},
    pushDesired: () => {},
    closeConnection: () => {},
  })
})
afterAll(async () => {
  await door[Symbol.asyncDispose]()
  await api[Symbol.asyncDispose]()
})

/** A request as the reference page fills it in: where an example is missing, nothing. */
async function send({ method, path, parameters, requestBody }: Described): Promise<number> {
  const given = (place: string) =>
    parameters
      .filter((parameter) => parameter.in === place && parameter.schema.example !== undefined)
      .map(({ name, schema }) => [name, schema.example ?? ''] as const)
  const address = given('path').reduce((text, [name, id]) => text.replace(`{${name}}`, encodeURIComponent(id)), path)
  const body = requestBody?.content['application/json']?.example
  const response = await api.app.request(
    `https://${hostName}${address}?${new URLSearchParams(Object.fromEntries(given('query')))}`,
    {
      method,
      headers: { authorization: tokenOf(api, 'iothubowner'), ...Object.fromEntries(given('header')) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
  )
  // A stream of events goes on.
  await response.body?.cancel()
  return response.status
}

/** What others need is made first, and taken away last. Everything else is in the order of the document. */
const first = ['putDevice', 'putModule', 'createJob', 'createDeviceMethodJob', 'putSchedule', 'putWebhook']
const last = ['cancelJob', 'deleteModule', 'deleteDevice', 'closeSession', 'deleteSchedule', 'deleteWebhook']

/** This hub has no import and export jobs, and says so. No document knows the id of an event. The job of the examples does not start. */
const refused: Readonly<Record<string, number>> = {
  createImportExportJob: 400,
  getImportExportJob: 404,
  cancelImportExportJob: 404,
  replayDelivery: 400,
  openNextStage: 405,
  rerunJob: 405,
  skipDevice: 405,
  cancelDevice: 405,
  retryDevice: 405,
  skipDevices: 405,
  cancelDevices: 405,
  retryDevices: 405,
  whyDevice: 404,
}

describe('H27 the examples of the document', () => {
  it('are there for each part of a path and each body', () => {
    const missing = operations.flatMap(({ operationId, parameters, requestBody }) => [
      ...parameters
        .filter((parameter) => parameter.in === 'path' && parameter.schema.example === undefined)
        .map(({ name }) => `${operationId} {${name}}`),
      ...(requestBody === undefined || requestBody.content['application/json']?.example !== undefined
        ? []
        : [`${operationId} body`]),
    ])

    expect(missing).toEqual([])
  })

  it('are good requests on a hub that has what they name', async () => {
    const rank = ({ operationId }: Described) => (first.includes(operationId) ? 0 : last.includes(operationId) ? 2 : 1)
    const placeOf = (operation: Described) => [...first, ...last].indexOf(operation.operationId)
    const inOrder = operations.toSorted((one, other) => rank(one) - rank(other) || placeOf(one) - placeOf(other))
    const wrong: string[] = []

    for (const operation of inOrder) {
      const status = await send(operation)
      if (operation.operationId === 'putModule') await connectDevice(api, 'demo-001/thermostat', 'gateway-1')
      const isExpected =
        status === refused[operation.operationId] || (status < 300 && !(operation.operationId in refused))
      if (!isExpected) wrong.push(`${operation.operationId} ${status}`)
    }

    expect(operations.length).toBeGreaterThan(30)
    expect(wrong).toEqual([])
  })

  it('of replies have the members that their schemas require', () => {
    const required = (schema: Schema, example: unknown): readonly string[] => {
      if (Array.isArray(example)) return example.flatMap((item) => required(schema.items ?? {}, item))
      const { required: names = [] } =
        schema.$ref === undefined ? schema : (schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
      return names.filter((name) => !(name in Object(example)))
    }
    const shown = operations.flatMap(({ operationId, responses }) => {
      const content = responses[200]?.content?.['application/json']
      return content?.example === undefined ? [] : [{ operationId, ...content }]
    })

    expect(shown.length).toBeGreaterThan(5)
    expect(
      shown.flatMap(({ operationId, schema, example }) =>
        required(schema, example).map((name) => `${operationId} ${name}`),
      ),
    ).toEqual([])
  })
})

describe('the words of the document', () => {
  it('are those of every version of the wire', () => {
    const job = JSON.stringify(schemas.Job)

    for (const word of ['scheduleUpdateTwin', 'scheduledUpdateTwin', 'queued', 'cancelled', 'canceled', 'pending'])
      expect(job).toContain(`"${word}"`)
  })

  it('say which files the devices of a job can come as', () => {
    const { responses } = operations.find(({ operationId }) => operationId === 'listDeviceJobs') ?? {}

    expect(Object.keys(responses?.[200]?.content ?? {})).toEqual([
      'application/json',
      'text/csv',
      'application/x-ndjson',
    ])
  })

  it('tell which ones a parameter may be', () => {
    const parameters = operations.find(({ operationId }) => operationId === 'listJobs')?.parameters ?? []
    const status = parameters.find(({ name }) => name === 'jobStatus')

    expect(status?.schema.enum).toEqual(['queued', 'scheduled', 'running', 'completed', 'failed', 'cancelled'])
  })
})
