import { pino } from 'pino'
import { expect, it } from 'vitest'
import { openEvents } from './events.ts'
import { openMetrics } from './metrics.ts'

function setup() {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'trace', messageKey: 'event' }, { write: (line) => lines.push(JSON.parse(line)) })
  const metrics = openMetrics()
  return { lines, metrics, events: openEvents({ log, metrics }) }
}

it('turns one event into one log line, one metric and one signal', async () => {
  const { lines, metrics, events } = setup()
  const heard: unknown[] = []
  events.on('jobEnded', (fields) => heard.push(fields))

  const fields = { jobId: 'reboot', type: 'scheduleDeviceMethod', status: 'completed' } as const
  events.jobEnded(fields)

  expect(lines).toMatchObject([{ event: 'jobEnded', ...fields }])
  expect(heard).toEqual([fields])
  expect(await metrics.metrics()).toContain('muster_job_ended_total{type="scheduleDeviceMethod",status="completed"} 1')
})

it('keeps ids out of the metrics', async () => {
  const { metrics, events } = setup()

  events.jobCreated({ jobId: 'reboot-floor-3', type: 'scheduleDeviceMethod' })
  events.deviceConnected({ deviceId: 'thermostat-7' })

  expect(await metrics.metrics()).not.toMatch(/reboot-floor-3|thermostat-7/)
})

it('counts connected devices up and down', async () => {
  const { metrics, events } = setup()

  events.deviceConnected({ deviceId: 'a' })
  events.deviceConnected({ deviceId: 'b' })
  events.deviceDisconnected({ deviceId: 'a', reason: 'closed' })

  expect(await metrics.metrics()).toContain('muster_devices_connected 1')
})

it('observes the seconds of a request', async () => {
  const { metrics, events } = setup()

  events.requestServed({ method: 'GET', route: '/jobs/v2/{id}', status: 200, seconds: 0.01, trackingId: 't' })

  expect(await metrics.metrics()).toContain(
    'muster_request_served_seconds_bucket{le="0.02",method="GET",route="/jobs/v2/{id}",status="200"} 1',
  )
})

it('stops telling a listener that has left', () => {
  const { events } = setup()
  const heard: unknown[] = []

  const leave = events.on('telemetryReceived', (fields) => heard.push(fields))
  leave()
  events.telemetryReceived({ deviceId: 'a' })

  expect(heard).toEqual([])
})
