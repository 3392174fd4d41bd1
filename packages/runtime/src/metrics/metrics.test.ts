import { afterEach, expect, it, vi } from 'vitest'
import { type Metrics, openMetrics, type Readings } from './metrics.ts'

afterEach(() => {
  vi.useRealTimers()
})

async function scraped(metrics: Metrics, onFailure: (error: unknown) => void = (error) => expect.fail(String(error))) {
  return (await metrics.scrape(onFailure)).text.split('\n').filter((line) => line.startsWith('muster_'))
}

it('a gauge that is read has the values of the last reading alone', async () => {
  const metrics = openMetrics('1.2.3', ['dispatcher'])
  const readings: Readings[] = [
    { muster_workers: 3, muster_jobs: [{ labels: { status: 'running' }, value: 2 }] },
    { muster_jobs: [{ labels: { status: 'queued' }, value: 1 }] },
  ]
  metrics.whenScraped(() => readings.shift() ?? {})

  const first = await scraped(metrics)
  const second = await scraped(metrics)

  expect(first).toEqual(expect.arrayContaining(['muster_workers 3', 'muster_jobs{status="running"} 2']))
  expect(second.filter((line) => /^muster_(workers|jobs)\b/.test(line))).toEqual(['muster_jobs{status="queued"} 1'])
})

it('a reading that fails is reported and leaves out its own series', async () => {
  const metrics = openMetrics('1.2.3', ['dispatcher'])
  const failures: unknown[] = []
  let isAway = false
  metrics.whenScraped(async () => {
    if (isAway) throw new Error('away')
    return { muster_workers: 3 }
  })
  metrics.whenScraped(() => ({ muster_gateways: 2 }))

  const before = await scraped(metrics)
  isAway = true
  const after = await scraped(metrics, (error) => failures.push(error))

  expect(before).toContain('muster_workers 3')
  expect(after.filter((line) => line.startsWith('muster_workers'))).toEqual([])
  expect(after).toContain('muster_gateways 2')
  expect(failures).toEqual([new Error('away')])
})

it('a reading that hangs holds up the page for 2 s', async () => {
  vi.useFakeTimers()
  const metrics = openMetrics('1.2.3', ['dispatcher'])
  const failures: unknown[] = []
  metrics.whenScraped(() => new Promise(() => {}))

  const scraping = scraped(metrics, (error) => failures.push(String(error)))
  await vi.advanceTimersByTimeAsync(2_000)

  expect(await scraping).toContain('muster_build_info{version="1.2.3"} 1')
  expect(failures).toEqual([expect.stringContaining('not read within 2000 ms')])
})

it('two scrapes at once show the same', async () => {
  const metrics = openMetrics('1.2.3', ['dispatcher'])
  metrics.whenScraped(async () => ({ muster_workers: 3 }))

  const pages = await Promise.all([scraped(metrics), scraped(metrics)])

  expect(pages.map((lines) => lines.filter((line) => line.startsWith('muster_workers')))).toEqual([
    ['muster_workers 3'],
    ['muster_workers 3'],
  ])
})

it('a gauge that must be known first has no value before, and others have 0', async () => {
  const lines = await scraped(openMetrics('1.2.3'))

  expect(lines).toContain('muster_devices_connected 0')
  expect(lines.filter((line) => line.startsWith('muster_certificate_expiry'))).toEqual([])
})

it('the gauges of the hub as a whole are there in a process with the dispatcher only', async () => {
  const text = async (metrics: Metrics) => (await metrics.scrape(() => {})).text

  expect(await text(openMetrics('1.2.3', ['dispatcher']))).toContain('# TYPE muster_jobs gauge')
  expect(await text(openMetrics('1.2.3', ['api', 'worker', 'gateway']))).not.toContain('muster_jobs{')
  expect(await text(openMetrics('1.2.3', ['api', 'worker', 'gateway']))).not.toContain('# TYPE muster_jobs gauge')
})
