import { expect, it } from 'vitest'
import { startHub } from '../../hub.ts'
import { ending, putJob } from '../../jobs.ts'
import { findChromium, openPage } from './chromium.ts'

const chromium = findChromium()

it.skipIf(chromium === null)(
  'E11 E3 in a real browser an EventSource hears a job with the cookie of a session, and stops asking after its end',
  async () => {
    await using hub = await startHub()
    await using page = await openPage(chromium ?? '', `http://localhost:${hub.httpPort}/docs`)
    await putJob(hub, 'shown', {
      type: 'scheduleUpdateTwin',
      queryCondition: "tags.site = 'nowhere'",
      updateTwin: { etag: '*', tags: { seen: true } },
    })
    await ending(hub, 'shown')
    const status = (path: string, options: object) =>
      page.evaluate(`fetch(${JSON.stringify(path)}, ${JSON.stringify(options)}).then(({ status }) => status)`)

    const withoutSession = await status('/jobs/v2/shown?api-version=2021-04-12', {})
    const opened = await status('/sessions?api-version=2021-04-12', {
      method: 'POST',
      headers: { authorization: hub.token },
    })
    const told = await page.evaluate(`new Promise((resolve) => {
      const told = []
      const source = new EventSource('/jobs/v2/shown/events?api-version=2021-04-12')
      for (const kind of ['created', 'started', 'statistics', 'ended', 'dropped']) {
        source.addEventListener(kind, ({ data }) => told.push(kind + ' ' + JSON.parse(data).jobId))
      }
      source.onerror = () => source.readyState === EventSource.CLOSED && resolve(told)
    })`)
    const cancelled = await status('/jobs/v2/shown/cancel?api-version=2021-04-12', { method: 'POST' })

    expect([withoutSession, opened, cancelled]).toEqual([401, 200, 401])
    expect(told).toEqual(['created shown', 'started shown', 'ended shown', 'statistics shown'])
    expect(await page.evaluate('document.cookie')).toBe('')
  },
)
