import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type FilePage, streamFile } from './file-stream.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A file without an end, and what has become of it. */
function endless() {
  const seen = { pages: 0, broken: 0, over: 0 }
  const page = (): FilePage => ({
    text: 'page',
    next: async () => {
      seen.pages += 1
      return page()
    },
  })
  const stream = streamFile(page(), {
    onBroken: () => {
      seen.broken += 1
    },
    onOver: () => {
      seen.over += 1
    },
  })
  return { stream, seen }
}

it('D8 a file is read one page ahead of its reader, and no further', async () => {
  const { stream, seen } = endless()
  const reader = stream.getReader()
  await reader.read()
  await reader.read()

  await vi.advanceTimersByTimeAsync(1_000)

  expect(seen).toEqual({ pages: 2, broken: 0, over: 0 })
})

it('D8 a file that nobody reads on for a minute breaks off, once', async () => {
  const { stream, seen } = endless()
  const reader = stream.getReader()
  await reader.read()

  await vi.advanceTimersByTimeAsync(60_000)

  await expect(reader.closed).rejects.toThrow('too slow')
  await reader.cancel().catch(() => {})
  expect(seen).toEqual({ pages: 1, broken: 0, over: 1 })
})

it('D8 no page is read after the reader went away', async () => {
  const { stream, seen } = endless()
  const reader = stream.getReader()
  await reader.read()
  await vi.advanceTimersByTimeAsync(0)
  await reader.cancel()

  await vi.advanceTimersByTimeAsync(120_000)

  expect(seen).toEqual({ pages: 1, broken: 0, over: 1 })
})

it('D8 a page that cannot be read while the reader goes away is no fault', async () => {
  const seen: string[] = []
  let fail: (error: Error) => void = () => {}
  const failing = new Promise<FilePage>((_, reject) => {
    fail = reject
  })
  const stream = streamFile(
    { text: 'page', next: () => failing },
    { onBroken: () => seen.push('broken'), onOver: () => seen.push('over') },
  )
  const reader = stream.getReader()
  await reader.read()
  await vi.advanceTimersByTimeAsync(0)
  await reader.cancel()

  fail(new Error('no database'))
  await vi.advanceTimersByTimeAsync(0)

  expect(seen).toEqual(['over'])
})
