import { randomBytes } from 'node:crypto'
import { eventually } from '@muster/testkit'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { roles } from '../../src/roles.ts'
import { type Collector, startCollector, treeOf } from '../collector.ts'
import { requestTo, startHub, type TestHub } from '../hub.ts'
import { ending, putJob } from '../jobs.ts'
import { type RoleProcess, startProcess } from '../role-process.ts'
import { givenFleet, registered } from '../simulated.ts'

type Names = 'api' | 'dispatcher' | 'worker' | 'gateway'

let hub: TestHub
let collector: Collector
let processes: Readonly<Record<Names, RoleProcess>>
let request: TestHub['request']

beforeAll(async () => {
  hub = await startHub({ roles: roles.filter(({ name }) => name === 'api') })
  collector = await startCollector()
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, MUSTER_LOG_LEVEL: 'debug' }
  const start = (name: Names) => startProcess(hub, [name], { settings })
  processes = {
    api: await start('api'),
    dispatcher: await start('dispatcher'),
    worker: await start('worker'),
    gateway: await start('gateway'),
  }
  request = requestTo(processes.api.ports.http, hub.token)
}, 120_000)
afterAll(async () => {
  for (const process of Object.values(processes)) await process[Symbol.asyncDispose]()
  await collector[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
})

const reboot = {
  type: 'scheduleDeviceMethod',
  cloudToDeviceMethod: { methodName: 'reboot', payload: null, responseTimeoutInSeconds: 30 },
}

it('O1 O2 O3 a job is one trace, from its PUT to the answers of its devices, and its log lines name it', async () => {
  const { gateway } = processes
  await using fleet = await givenFleet(
    { request, ca: hub.ca, mqttsPort: gateway.ports.mqtts ?? 0 },
    { count: 2, prefix: 'traced', tags: { site: 'traced' } },
  )
  await fleet.connect()

  await putJob({ request }, 'traced', { ...reboot, queryCondition: "tags.site = 'traced'" })
  await ending({ request }, 'traced')
  const put = await sent(({ name }) => name === 'PUT /jobs/v2/{jobId}')
  await eventually(() =>
    expect(treeOf(collector.spans, put.traceId)).toEqual([
      'PUT /jobs/v2/{jobId} (muster-api)',
      '  run chunk (muster-worker)',
      '    call gateway (muster-worker)',
      '      call device (muster-gateway)',
      '      call device (muster-gateway)',
      '    claim (muster-worker)',
      '  start job (muster-dispatcher)',
      '    wake workers (muster-dispatcher)',
    ]),
  )

  expect(linesWith(processes.api, put.traceId)).toContain('jobCreated')
  expect(linesWith(processes.dispatcher, put.traceId)).toContain('jobStarted')
  expect(linesWith(processes.worker, put.traceId)).toEqual(expect.arrayContaining(['chunkRecorded', 'jobEnded']))
  expect(linesWith(processes.gateway, put.traceId)).toContain('methodInvoked')
})

it('O1 a span begins before those that it leads to, and a device is called inside the call of its gateway', async () => {
  const [call] = collector.spans.filter(({ name }) => name === 'call device')
  const gateway = collector.spans.find(({ spanId }) => spanId === call?.parentId)
  const put = collector.spans.find(({ name }) => name === 'PUT /jobs/v2/{jobId}')

  expect(call?.attributes.get('muster.method')).toBe('reboot')
  expect(call?.attributes.get('muster.status')).toBe(200)
  expect(Number((call?.startNs ?? 0n) - (gateway?.startNs ?? 0n))).toBeGreaterThanOrEqual(-clockErrorNs)
  expect(Number((gateway?.endNs ?? 0n) - (call?.endNs ?? 0n))).toBeGreaterThanOrEqual(-clockErrorNs)
  expect(Number((call?.startNs ?? 0n) - (put?.startNs ?? 0n))).toBeGreaterThanOrEqual(-clockErrorNs)
})

/** Two processes that know the time differ by less. */
const clockErrorNs = 1e9

it('O2 the tracking id of an error is the id of its trace', async () => {
  const response = await request('GET', '/jobs/v2/unknown')
  const { ExceptionMessage: message } = JSON.parse(await response.text())
  const traceId = /Tracking ID:([0-9a-f]{32})-/.exec(message)?.[1]

  const span = await sent((span) => span.traceId === traceId)
  expect(span.name).toBe('GET /jobs/v2/{jobId}')
  expect(span.attributes.get('http.response.status_code')).toBe(404)
  expect(response.headers.get('x-ms-request-id')?.replaceAll('-', '')).toBe(traceId)
})

it('O4 a caller goes on with a trace of its own, and decides whether it is kept', async () => {
  const [kept, dropped, refused] = Array.from({ length: 3 }, () => randomBytes(16).toString('hex'))
  const ask = (traceparent: string) =>
    fetch(`http://127.0.0.1:${processes.api.ports.http}/jobs/v2/query?api-version=2021-04-12`, {
      headers: { authorization: hub.token, traceparent },
    })
  await ask(`00-${dropped}-00f067aa0ba902b7-00`)
  await ask(`00-${kept}-00f067aa0ba902b7-01`)
  const wrong = await ask('no-traceparent')
  const unknown = await fetch(`http://127.0.0.1:${processes.api.ports.http}/jobs/v2/query?api-version=2021-04-12`, {
    headers: { traceparent: `00-${refused}-00f067aa0ba902b7-01` },
  })

  const span = await sent(({ traceId }) => traceId === kept)
  expect(span.parentId).toBe('00f067aa0ba902b7')
  expect([wrong.status, unknown.status]).toEqual([200, 401])
  // They would have come before the last one.
  await request('GET', '/statistics/devices')
  await sent(({ name }) => name === 'GET /statistics/devices')
  expect(collector.spans.filter(({ traceId }) => traceId === dropped || traceId === refused)).toEqual([])
})

it('O5 the chunks of a large job are traces of their own after the tenth, linked to that of the job; so is a cancel', async () => {
  await registered({ request, ca: hub.ca, mqttsPort: 0 }, { count: 1_001, prefix: 'many', tags: { site: 'many' } })
  await putJob({ request }, 'many', { ...reboot, queryCondition: "tags.site = 'many'" })
  const last = await sent(({ attributes }) => attributes.get('muster.chunk.no') === 10)
  await request('POST', '/jobs/v2/many/cancel')

  const start = await sent(({ name, attributes }) => name === 'start job' && attributes.get('muster.job.id') === 'many')
  const cancel = await sent(({ name }) => name === 'POST /jobs/v2/{jobId}/cancel')
  const inTrace = () => collector.spans.filter(({ name, traceId }) => name === 'run chunk' && traceId === start.traceId)
  await eventually(() => expect(inTrace()).toHaveLength(10))
  expect([last.linkedTo, cancel.linkedTo]).toEqual([[start.traceId], [start.traceId]])
  expect(last.parentId).toBeNull()
})

it('O6 nothing else is a trace: no sweep, no heartbeat, no page of the operator', async () => {
  await fetch(`http://127.0.0.1:${processes.api.ports.http}/health/ready`)
  await fetch(`http://127.0.0.1:${processes.api.ports.http}/metrics`)
  const response = await request('GET', '/statistics/service')
  expect(response.status).toBe(200)
  await sent(({ name }) => name === 'GET /statistics/service')

  const requests = /^(GET|PUT|POST) \/(jobs|devices|statistics)/
  const others = collector.spans.map(({ name }) => name).filter((name) => !requests.test(name))
  expect([...new Set(others)].toSorted()).toEqual([
    'call device',
    'call gateway',
    'claim',
    'run chunk',
    'start job',
    'wake workers',
  ])
})

it('O4 of the other traces the hub keeps a part', async () => {
  await using other = await startCollector()
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: other.endpoint, OTEL_TRACES_SAMPLER_ARG: '0.5' }
  const api = await startProcess(hub, ['api'], { settings })
  onTestFinished(() => api[Symbol.asyncDispose]())
  const ask = requestTo(api.ports.http, hub.token)
  for (let n = 0; n < 60; n += 1) await ask('GET', '/statistics/devices')
  api.signal('SIGTERM')
  await api.ended

  // A fair coin falls 60 times on the same side once in 2^59.
  expect(other.spans.length).toBeGreaterThan(0)
  expect(other.spans.length).toBeLessThan(60)
})

it('O7 a process that stops sends its last spans, and one without its collector does its work', async () => {
  const other = await startCollector()
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: other.endpoint }
  const api = await startProcess(hub, ['api'], { settings })
  onTestFinished(() => api[Symbol.asyncDispose]())
  await requestTo(api.ports.http, hub.token)('GET', '/statistics/devices')
  api.signal('SIGTERM')
  expect(await api.ended).toBe(0)
  expect(other.spans.map(({ name }) => name)).toEqual(['GET /statistics/devices'])

  await other[Symbol.asyncDispose]()
  const without = await startProcess(hub, ['api'], { settings })
  onTestFinished(() => without[Symbol.asyncDispose]())
  const answer = await requestTo(without.ports.http, hub.token)('GET', '/statistics/devices')
  await eventually(() => expect(without.log()).toContain('"event":"spansLost"'), { timeoutMs: 20_000 })
  expect(answer.status).toBe(200)
  without.signal('SIGTERM')
  expect(await without.ended).toBe(0)
})

/** The first such span, when it has come. */
async function sent(isIt: (span: Collector['spans'][number]) => boolean) {
  return eventually(
    () => {
      const span = collector.spans.find(isIt)
      if (span === undefined) throw new Error(`not among ${collector.spans.map(({ name }) => name).join(', ')}`)
      return span
    },
    { timeoutMs: 20_000 },
  )
}

/** The events of the lines that name the trace, in `traceId` or at the start of `trackingId`. */
function linesWith(process: RoleProcess, traceId: string): string[] {
  return process
    .log()
    .split('\n')
    .filter((line) => line.includes(`"traceId":"${traceId}"`) || line.includes(`"trackingId":"${traceId}-`))
    .map((line) => JSON.parse(line).event)
}
