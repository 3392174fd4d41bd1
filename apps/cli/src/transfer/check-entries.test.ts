import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { readEntry } from '../files/read-entry.ts'
import { checkEntries } from './check-entries.ts'

it('an identity that stands in a file twice is a fault, and is counted once', async () => {
  const lines = ['a', 'b', 'a'].map((id, index) => readEntry(`line ${index + 1}`, { id }))

  expect(await checkEntries(Readable.from(lines))).toEqual({
    devices: 2,
    modules: 0,
    faultCount: 1,
    faults: [{ place: 'line 3', complaint: 'a stands in line 1 already' }],
  })
})
