import { describe, expect, it, vi } from 'vitest'
import { groupCommit } from './group-commit.ts'

const unexpected = (error: unknown) => {
  throw error
}

const nothing = () => {}

function deferred() {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

describe('a group commit', () => {
  it('writes a single item at once and collects what comes meanwhile, each item once', async () => {
    const first = deferred()
    const write = vi.fn<(items: readonly string[]) => Promise<void>>().mockReturnValueOnce(first.promise)
    write.mockResolvedValue()
    const sizes: number[] = []
    const onWritten = (size: number) => sizes.push(size)
    const commit = groupCommit<string>(write, { setSize: 10, onWritten, onError: unexpected })

    for (const item of ['a', 'b', 'c', 'b']) commit.add(item)
    first.resolve()
    await commit.stop(AbortSignal.timeout(5_000))

    expect(write.mock.calls).toEqual([[['a']], [['b', 'c']]])
    expect(sizes).toEqual([1, 2])
  })

  it('writes no more than the given number at a time', async () => {
    const first = deferred()
    const write = vi.fn<(items: readonly string[]) => Promise<void>>().mockReturnValueOnce(first.promise)
    write.mockResolvedValue()
    const commit = groupCommit<string>(write, { setSize: 2, onWritten: nothing, onError: unexpected })

    for (const item of ['a', 'b', 'c', 'd']) commit.add(item)
    first.resolve()
    await commit.stop(AbortSignal.timeout(5_000))

    expect(write.mock.calls).toEqual([[['a']], [['b', 'c']], [['d']]])
  })

  it('writes a set that failed again, with what came meanwhile', async () => {
    const write = vi.fn<(items: readonly string[]) => Promise<void>>().mockRejectedValueOnce(new Error('no store'))
    write.mockResolvedValue()
    const onError = vi.fn()
    const commit = groupCommit<string>(write, { setSize: 10, onWritten: nothing, onError })

    commit.add('a')
    commit.add('b')
    await commit.stop(AbortSignal.timeout(5_000))

    expect(onError).toHaveBeenCalledOnce()
    expect(write.mock.calls).toEqual([[['a']], [['b', 'a']]])
  })

  it('gives up at the deadline', async () => {
    const write = vi.fn<(items: readonly string[]) => Promise<void>>().mockReturnValue(new Promise(() => {}))
    const commit = groupCommit<string>(write, { setSize: 1, onWritten: nothing, onError: unexpected })

    commit.add('a')
    commit.add('b')
    await commit.stop(AbortSignal.abort())

    expect(write).toHaveBeenCalledOnce()
  })
})
