import { pino } from 'pino'
import { expect, it } from 'vitest'
import { type Metrics, openMetrics } from '../metrics/metrics.ts'
import { openEvents } from './events.ts'

function setup() {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'trace', messageKey: 'event' }, { write: (line) => lines.push(JSON.parse(line)) })
  const metrics = openMetrics('1.2.3')
  return { lines, metrics, events: openEvents({ log, metrics }) }
}

async function scraped(metrics: Metrics): Promise<string> {
  const { text } = await metrics.scrape((error) => expect.fail(String(error)))
  return text
}

it('turns one event into one log line, one metric and one signal', async () => {
  const { lines, metrics, events } = setup()
  const heard: unknown[] = []
  events.on('jobEnded', (fields) => heard.push(fields))

  const fields = {
    jobId: 'reboot',
    type: 'scheduleDeviceMethod',
    status: 'completed',
    seconds: 2,
    traceId: 'a1',
  } as const
  events.jobEnded(fields)

  expect(lines).toMatchObject([{ event: 'jobEnded', ...fields }])
  expect(heard).toEqual([fields])
  expect(await scraped(metrics)).toContain('muster_job_ended_total{type="scheduleDeviceMethod",status="completed"} 1')
  expect(await scraped(metrics)).toContain(
    'muster_job_seconds_bucket{le="5",type="scheduleDeviceMethod",status="completed"} 1',
  )
})

it('keeps ids out of the metrics', async () => {
  const { metrics, events } = setup()

  const caller = { account: 'policy:ops', clientAddress: '192.0.2.1', trackingId: 't' }
  events.jobCreated({ jobId: 'reboot-floor-3', type: 'scheduleDeviceMethod', ...caller })
  events.deviceConnected({ deviceId: 'thermostat-7' })

  expect(await scraped(metrics)).not.toMatch(/reboot-floor-3|thermostat-7|policy:ops|192\.0\.2\.1/)
})

it('counts connected devices up and down', async () => {
  const { metrics, events } = setup()

  events.deviceConnected({ deviceId: 'a' })
  events.deviceConnected({ deviceId: 'b' })
  events.deviceDisconnected({ deviceId: 'a', reason: 'lost' })

  expect(await scraped(metrics)).toContain('muster_devices_connected 1')
})

it('observes the seconds of a request', async () => {
  const { metrics, events } = setup()

  events.requestServed({
    method: 'GET',
    route: '/jobs/v2/{id}',
    status: 200,
    isOfDevice: false,
    seconds: 0.01,
    trackingId: 't',
  })

  expect(await scraped(metrics)).toContain(
    'muster_request_served_seconds_bucket{le="0.02",method="GET",route="/jobs/v2/{id}"} 1',
  )
})

it('counts an answer for which the device is at fault apart from the errors of the hub', async () => {
  const { metrics, events } = setup()
  const served = { method: 'POST', route: '/twins/{deviceId}/methods', seconds: 0.01, trackingId: 't' }

  events.requestServed({ ...served, status: 504, isOfDevice: true })
  events.requestServed({ ...served, status: 504, isOfDevice: false })
  events.requestServed({ ...served, status: 404, isOfDevice: true })

  const text = await scraped(metrics)
  for (const statusClass of ['device', '5xx', '4xx'])
    expect(text).toContain(`muster_requests_total{route="${served.route}",class="${statusClass}"} 1`)
})

it('stops telling a listener that has left', () => {
  const { events } = setup()
  const heard: unknown[] = []

  const leave = events.on('telemetryReceived', (fields) => heard.push(fields))
  leave()
  events.telemetryReceived({ deviceId: 'a' })

  expect(heard).toEqual([])
})

it('every series with words of a closed list is there from the start, with 0', async () => {
  const { metrics } = setup()

  const text = await scraped(metrics)

  for (const series of [
    'muster_sweep_repaired_total{sweep="startDueJobs"} 0',
    'muster_sweep_failed_total{sweep="purgeHistory"} 0',
    'muster_device_jobs_recorded_total{type="scheduleUpdateTwin",outcome="failed"} 0',
    'muster_job_ended_total{type="scheduleDeviceMethod",status="cancelled"} 0',
    'muster_connection_refused_total{reason="token"} 0',
    'muster_device_disconnected_total{reason="keepAlive"} 0',
    'muster_request_refused_total{code="JobNotFound"} 0',
    'muster_store_incident_total{store="redis",kind="restartFailed"} 0',
    'muster_gateway_failed_total{step="heartbeat"} 0',
    'muster_readiness_lost_total{check="worker"} 0',
    'muster_throttled_total{throttle="queries"} 0',
    'muster_bus_failed_total 0',
    'muster_method_invoked_seconds_count{outcome="noAnswer"} 0',
  ]) {
    expect(text).toContain(`${series}\n`)
  }
})

it('tells when a certificate ends only where one is served', async () => {
  const { metrics, events } = setup()
  const before = await scraped(metrics)

  events.certificateLoaded({ expiresAt: new Date(1_700_000_000_000) })

  expect(before).not.toContain('\nmuster_certificate_expiry_timestamp_seconds ')
  expect(await scraped(metrics)).toContain('muster_certificate_expiry_timestamp_seconds 1700000000')
})

it('tells the version of the process', async () => {
  expect(await scraped(setup().metrics)).toContain('muster_build_info{version="1.2.3"} 1')
})
