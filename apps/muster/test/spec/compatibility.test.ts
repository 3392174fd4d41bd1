import { describe, expect, it } from 'vitest'
import { filesBelow } from '../architecture/sources.ts'
import { titlesOf } from './titles.ts'

interface Row {
  readonly section: string
  readonly behaviour: string
  readonly cells: readonly string[]
}

const sections = filesBelow('docs', 'compatibility.md').flatMap(({ text }) => text.split(/^## /m).slice(1))
const rows = sections.flatMap(rowsOf)

function nameOf(section: string): string {
  return section.split('\n', 1)[0] ?? ''
}

function rowsOf(section: string): readonly Row[] {
  // The first two lines of a table are its head.
  const lines = section.split('\n').filter((line) => line.includes('|'))
  return lines.slice(2).map((line) => {
    const cells = line.split('|').map((cell) => cell.trim())
    return { section: nameOf(section), behaviour: cells[0] ?? '', cells }
  })
}

const folderOf = new Map(
  sections.map((section) => [nameOf(section), /^Tests: `([^`]+)`/m.exec(section)?.[1] ?? 'no folder']),
)

/** The last cell: `file`: _title_, _title_; `file`: _title_ */
const shownBy = /^(?:(?:^|; )`[^`]+`: _[^_]+_(?:, _[^_]+_)*)*$/

/** Each title that a row names, with the file that is to have it. A file stands for itself from `packages/` or `apps/` on, else below the folder of its section. */
const named = rows.flatMap(({ section, behaviour, cells }) =>
  [...(cells[3] ?? '').matchAll(/`([^`]+)`([^`]*)/g)].flatMap(([, file = '', titles = '']) =>
    [...titles.matchAll(/_([^_]+)_/g)].map(([, title = '']) => ({
      row: `${section}: ${behaviour}`,
      path: /^(packages|apps)\//.test(file) ? file : `${folderOf.get(section)}/${file}`,
      title,
    })),
  ),
)

describe('the page on compatibility', () => {
  it('has rows in every section', () => {
    expect(sections.length).toBeGreaterThan(20)
    expect(sections.filter((section) => rowsOf(section).length === 0).map(nameOf)).toEqual([])
  })

  it('says of each behaviour once what it is, what the hub does, and which tests show it', () => {
    const verdicts = ['same', 'better', 'absent']
    const isWhole = ({ cells: [behaviour, verdict, text, tests = '', ...more] }: Row) =>
      behaviour && verdicts.includes(verdict ?? '') && text && shownBy.test(tests) && more.length === 0
    const names = rows.map(({ section, behaviour }) => `${section}: ${behaviour}`)

    expect(rows.filter((row) => !isWhole(row))).toEqual([])
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it('has a test for every behaviour that is there', () => {
    expect(rows.filter(({ cells: [, verdict, , tests] }) => verdict !== 'absent' && tests === '')).toEqual([])
  })

  it('names files and titles that exist', () => {
    const isThere = ({ path, title }: { path: string; title: string }) =>
      titlesOf.get(path)?.some((known) => known.includes(title))

    expect(named.filter((shown) => !isThere(shown))).toEqual([])
  })

  it('names titles whole, or by three words or more that no other title of the file has', () => {
    const isTelling = ({ path, title }: { path: string; title: string }) => {
      const titles = new Set(titlesOf.get(path))
      const fitting = [...titles].filter((known) => known.includes(title))
      const words = title.split(' ').filter((word) => word !== '...')
      return titles.has(title) || (words.length >= 3 && fitting.length === 1)
    }

    expect(named.filter((shown) => !isTelling(shown))).toEqual([])
  })
})
