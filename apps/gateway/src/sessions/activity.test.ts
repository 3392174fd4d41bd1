import { type IdentityKey, storedIdentity } from '@muster/contract'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { collectActivity } from './activity.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }))
afterEach(() => void vi.useRealTimers())

interface Heard {
  readonly identity: IdentityKey
  readonly connectionNo: number
  lastActivityAt: Date
}

function givenConnection(name: string): Heard {
  return { identity: storedIdentity(name), connectionNo: 1, lastActivityAt: new Date(0) }
}

function givenActivity({ setSize = 10, failures = 0 } = {}) {
  const sets: (readonly [string, number])[][] = []
  let failuresLeft = failures
  const errors: unknown[] = []
  const activity = collectActivity<Heard>(
    async (connections) => {
      if (failuresLeft > 0) {
        failuresLeft -= 1
        throw new Error('no store')
      }
      sets.push(connections.map(({ identity, lastActivityAt }) => [identity, lastActivityAt.getTime() / 1000]))
    },
    { setSize, onWritten: () => {}, onError: (error) => errors.push(error) },
  )
  const note = (connection: Heard, atSeconds: number) => {
    connection.lastActivityAt = new Date(atSeconds * 1000)
    activity.note(connection)
  }
  return { activity, note, sets, errors }
}

const pass = (seconds: number) => vi.advanceTimersByTimeAsync(seconds * 1000)

describe('activity', () => {
  it('G5 of a busy connection is written once a minute, as it is then', async () => {
    const { note, sets } = givenActivity()
    const busy = givenConnection('busy')

    for (let second = 0; second < 150; second += 1) {
      note(busy, second)
      await pass(1)
    }

    expect(sets).toEqual([[['busy', 59]], [['busy', 119]]])
  })

  it('G5 is written a minute after it began to be unwritten, in sets of the given size', async () => {
    const { note, sets } = givenActivity({ setSize: 2 })

    for (const name of ['a', 'b', 'c']) note(givenConnection(name), 0)
    await pass(30)
    note(givenConnection('later'), 30)
    await pass(40)

    expect(sets).toEqual([
      [
        ['a', 0],
        ['b', 0],
      ],
      [['c', 0]],
    ])
  })

  it('G5 that was written with the end of the connection is not written again', async () => {
    const { activity, note, sets } = givenActivity()
    const ended = givenConnection('ended')

    note(ended, 0)
    activity.forget(ended)
    await pass(120)

    expect(sets).toEqual([])
  })

  it('G5 that could not be written is written a minute later', async () => {
    const { note, sets, errors } = givenActivity({ failures: 1 })

    note(givenConnection('a'), 0)
    await pass(125)

    expect(errors).toHaveLength(1)
    expect(sets).toEqual([[['a', 0]]])
  })

  it('G5 is written at once when the gateway stops', async () => {
    const { activity, note, sets } = givenActivity({ setSize: 1 })

    for (const name of ['a', 'b']) note(givenConnection(name), 1)
    await activity.stop()
    await pass(120)

    expect(sets).toEqual([[['a', 1]], [['b', 1]]])
  })
})
