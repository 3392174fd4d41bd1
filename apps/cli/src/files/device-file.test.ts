import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDeviceFile } from './device-file.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-import-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a file with one device in each line', () => {
  it('gives the entry of each line, and skips empty ones', async () => {
    const read = await readAll('two.ndjson', '\uFEFF{"id":"a","tags":{"floor":3}}\r\n\n{"id":"b","moduleId":"m"}')

    expect(read).toEqual([
      { place: 'line 1', identity: 'a', body: { id: 'a', importMode: 'create', tags: { floor: 3 } } },
      { place: 'line 3', identity: 'b/m', body: { id: 'b', moduleId: 'm', importMode: 'create' } },
    ])
  })

  it.each([
    ['{"id":"a"', /^it is no JSON/],
    ['[{"id":"a"}]', /^expected a JSON object, got \[/],
    ['{"id":"two words"}', /^deviceId must be .*got "two words"/],
    ['{"id":"a","importMode":"delete"}', /^importMode must be create/],
    ['{"Id":"a","ImportMode":"delete"}', /^importMode must be create/],
    ['{"id":"a","properties":{"desired":{"n":9007199254740993}}}', /9007199254740993/],
  ])('names the fault in %s', async (line, complaint) => {
    const read = await readAll('faulty.ndjson', `{"id":"first"}\n${line}\n`)

    expect(read[1]).toEqual({ place: 'line 2', complaint: expect.stringMatching(complaint) })
  })

  it('refuses a line without an end, and reads on behind it', async () => {
    const read = await readAll('long.ndjson', `{"id":"${'x'.repeat(1_500_000)}"}\n{"id":"after"}\n`)

    expect(read).toEqual([
      { place: 'line 1', complaint: 'it is longer than 1 MiB; expected one JSON object in each line' },
      expect.objectContaining({ place: 'line 2', identity: 'after' }),
    ])
  })

  it('is read no further when it is not UTF-8', async () => {
    const path = await written('latin.ndjson', Buffer.from([0x7b, 0xe9, 0x7d, 0x0a]))

    await expect(Readable.from(readDeviceFile(path)).toArray()).rejects.toThrow(`${path} is not UTF-8`)
  })
})

describe('a table of devices', () => {
  it('gives the entry of each row, with JSON in the cells of tags and desired properties', async () => {
    const read = await readAll(
      'fleet.csv',
      'id,status,primaryKey,tags.building,tags.place.room,desired.mode\n"it\'s,a",disabled,b25l,43,"first\nfloor","""43"""\nplain,,,,,true\n',
    )

    expect(read).toMatchObject([
      {
        place: 'row 2',
        identity: "it's,a",
        body: {
          status: 'disabled',
          authentication: { symmetricKey: { primaryKey: 'b25l' } },
          tags: { building: 43, place: { room: 'first\nfloor' } },
          properties: { desired: { mode: '43' } },
        },
      },
      { place: 'row 3', body: { id: 'plain', importMode: 'create', properties: { desired: { mode: true } } } },
    ])
    expect(read[1]).not.toHaveProperty('body.tags')
  })

  it('names a column that it does not know, once', async () => {
    expect(await readAll('header.csv', 'id,floor\na,3\nb,4\n')).toEqual([
      {
        place: 'row 1',
        complaint: expect.stringContaining('the header has the column "floor"; expected id, moduleId'),
      },
    ])
  })

  it('names a row with too few cells', async () => {
    expect(await readAll('short.csv', 'id,status\na\nb,enabled\n')).toMatchObject([
      { place: 'row 2', complaint: 'it has 1 cells, and the header has 2' },
      { place: 'row 3', identity: 'b' },
    ])
  })
})

async function readAll(name: string, text: string) {
  const path = await written(name, text)
  return Readable.from(readDeviceFile(path)).toArray()
}

async function written(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}
