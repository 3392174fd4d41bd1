import { openMetrics } from '@muster/runtime'
import { afterEach, expect, it, vi } from 'vitest'
import { showSweepAges } from './ages.ts'

afterEach(() => {
  vi.useRealTimers()
})

it('the age of a sweep begins anew with the end of a pass, and those of the others go on', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const metrics = openMetrics('1.2.3', ['dispatcher'])
  const ages = showSweepAges(metrics)
  const ageOf = async (sweep: string) =>
    (await metrics.scrape((error) => expect.fail(String(error)))).text
      .split('\n')
      .filter((line) => line.startsWith(`muster_sweep_age_seconds{sweep="${sweep}"}`))

  vi.advanceTimersByTime(40_000)
  ages.noteEnd('startDueJobs')
  vi.advanceTimersByTime(2_500)

  expect(await ageOf('startDueJobs')).toEqual(['muster_sweep_age_seconds{sweep="startDueJobs"} 2.5'])
  expect(await ageOf('purgeHistory')).toEqual(['muster_sweep_age_seconds{sweep="purgeHistory"} 42.5'])
})
