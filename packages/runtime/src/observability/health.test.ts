import { afterEach, expect, it, vi } from 'vitest'
import { openMetrics } from '../metrics/metrics.ts'
import { operatorPages } from './health.ts'

afterEach(() => {
  vi.useRealTimers()
})

function pagesWith(checks: Parameters<typeof operatorPages>[0]['checks']) {
  const failures: string[] = []
  const page = operatorPages({
    version: '1.2.3',
    metrics: openMetrics('1.2.3'),
    checks,
    onFailure: (check) => failures.push(check),
    onUnread: () => {},
  })
  return { page, failures }
}

it('is ready when every check passes', async () => {
  const { page } = pagesWith(() => [{ name: 'postgres', check: async () => {}, isNeeded: true }])

  const response = await page('/health/ready')

  expect(response?.status).toBe(200)
  expect(await response?.json()).toEqual({ status: 'ready', checks: { postgres: 'passed' } })
})

it('is not ready when a check throws, and says which without saying why', async () => {
  const { page, failures } = pagesWith(() => [
    { name: 'postgres', check: async () => {}, isNeeded: true },
    { name: 'redis', check: () => Promise.reject(new Error('redis://:secret@redis')), isNeeded: true },
  ])

  const response = await page('/health/ready')

  expect(response?.status).toBe(503)
  expect(await response?.json()).toEqual({ status: 'unready', checks: { postgres: 'passed', redis: 'failed' } })
  expect(failures).toEqual(['redis'])
})

it('is ready without what it does not need, and shows that it is away', async () => {
  const { page, failures } = pagesWith(() => [
    { name: 'redis', check: () => Promise.reject(new Error('away')), isNeeded: false },
  ])

  const response = await page('/health/ready')

  expect(response?.status).toBe(200)
  expect(await response?.json()).toEqual({ status: 'ready', checks: { redis: 'failed' } })
  expect(failures).toEqual(['redis'])
})

it('is not ready when a check does not come back within 2 s', async () => {
  vi.useFakeTimers()
  const { page, failures } = pagesWith(() => [{ name: 'redis', check: () => new Promise(() => {}), isNeeded: true }])

  const answer = page('/health/ready')
  await vi.advanceTimersByTimeAsync(2000)
  const response = await answer

  expect(response?.status).toBe(503)
  expect(failures).toEqual(['redis'])
})

it('is live whatever the checks say', async () => {
  const { page } = pagesWith(() => [{ name: 'redis', check: () => Promise.reject(new Error('away')), isNeeded: true }])

  expect((await page('/health/live'))?.status).toBe(200)
})

it('shows the metrics of the process', async () => {
  const { page } = pagesWith(() => [])

  expect(await (await page('/metrics'))?.text()).toContain('process_cpu_seconds_total')
})

it('has no other page', () => {
  expect(pagesWith(() => []).page('/jobs/v2/query')).toBeNull()
})

it('says that it is live, and which version it is', async () => {
  const { page } = pagesWith(() => [])

  const response = await page('/health/live')

  expect(await response?.json()).toEqual({ status: 'live', version: '1.2.3' })
})
