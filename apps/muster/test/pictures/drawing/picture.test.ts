import { expect, it } from 'vitest'
import { drawPicture } from './picture.ts'

const place = { x: 0, y: 0, w: 8, h: 8 }
const thresholds = [
  { value: null, color: 'green' },
  { value: 1, color: 'red' },
]

function drawn(content: Parameters<typeof drawPicture>[0]['panels'][number]['content']): string {
  return drawPicture({ title: 'T', description: 'D', origin: 'O', panels: [{ title: 'A < B', place, content }] })
}

it('a panel has its title, and every line its name', () => {
  const lines = ['first', 'second'].map((name) => ({ name, values: [0, 1, null, 4] }))
  const series = { unit: 's', stacked: true, limits: [], lines, stepSeconds: 60 }

  const picture = drawn({ kind: 'timeseries', series })

  for (const text of ['A &lt; B', 'first', 'second', '8 s', '0 s', '3:00']) expect(picture).toContain(`>${text}</text>`)
})

it('an axis reaches the limit, which is a red line', () => {
  const lines = [{ name: 'low', values: [0, 0] }]

  const picture = drawn({
    kind: 'timeseries',
    series: { unit: 's', stacked: false, limits: [2], lines, stepSeconds: 60 },
  })

  expect(picture).toContain('>2 s</text>')
  expect(picture).toMatch(/<path d="M[\d.]+ [\d.]+h[\d.]+" stroke="#d92d20"/)
})

it('a number is red from its threshold on', () => {
  const numberAt = (value: number) =>
    drawn({ kind: 'stat', stat: { unit: 'none', thresholds, numbers: [{ name: 'firing', value }] } })

  expect(numberAt(0)).not.toContain('#d92d20')
  expect(numberAt(1)).toMatch(/fill="#d92d20" font-weight="bold">1<\/text>/)
})

it('a legend names the lines that show something, and counts those that it leaves out', () => {
  const lines = Array.from({ length: 40 }, (_, index) => ({ name: `line-${index}`, values: [0, index === 39 ? 1 : 0] }))

  const picture = drawn({
    kind: 'timeseries',
    series: { unit: 's', stacked: true, limits: [], lines, stepSeconds: 60 },
  })

  expect(picture).toContain('>line-39</text>')
  expect(picture).toMatch(/>and \d+ more<\/text>/)
})
