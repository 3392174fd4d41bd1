import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readDashboards } from './dashboard-files.ts'
import { escapeText } from './drawing/svg.ts'

const folder = join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'pictures')
const pictures = readDashboards().map(({ uid, title, panels }) => ({
  uid,
  titles: [title, ...panels.map((panel) => panel.title)],
}))

// A panel is new, or has another title: "npm run pictures" draws all of them again.
describe('the pictures of the dashboards', () => {
  it.each(pictures)('$uid has every panel', ({ uid, titles }) => {
    const picture = readFileSync(join(folder, `${uid}.svg`), 'utf8')

    expect(titles.filter((title) => !picture.includes(`>${escapeText(title)}</text>`))).toEqual([])
  })

  it.each(pictures)('$uid is small, and names no machine', ({ uid }) => {
    const picture = readFileSync(join(folder, `${uid}.svg`), 'utf8')

    expect(picture.length).toBeLessThan(150_000)
    expect(picture).not.toMatch(/NaN|undefined|127\.0\.0\.1|localhost|:\d{4,5}\b/)
  })
})
