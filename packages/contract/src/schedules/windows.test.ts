import { describe, expect, it } from 'vitest'
import { parseExtensions } from '../extensions/extensions.ts'
import { type Window, windowStateAt } from './windows.ts'

const night = { cron: '0 22 * * *', durationMinutes: 360, timeZone: 'tags.timeZone' }

function stateOf(windows: readonly Window[], zone: string, time: string, responseMs = 0) {
  const { isOpen, until } = windowStateAt(windows, { zone, responseMs }, new Date(time))
  return `${isOpen ? 'open' : 'closed'} until ${until?.toISOString().slice(5, 19).replace('T', ' ') ?? 'never'}`
}

describe('R89 a window', () => {
  it.each([
    ['Europe/Berlin', '2026-03-02T20:59:59Z', 'closed until 03-02 21:00:00'],
    ['Europe/Berlin', '2026-03-02T21:00:00Z', 'open until 03-03 03:00:00'],
    ['Europe/Berlin', '2026-03-03T02:59:59.999Z', 'open until 03-03 03:00:00'],
    ['Europe/Berlin', '2026-03-03T03:00:00Z', 'closed until 03-03 21:00:00'],
    ['Asia/Kolkata', '2026-03-02T16:30:00Z', 'open until 03-02 22:30:00'],
    ['America/New_York', '2026-03-02T16:30:00Z', 'closed until 03-03 03:00:00'],
    // Six hours that pass, also in the night in which the clock leaves one out.
    ['Europe/Berlin', '2026-03-29T02:00:00Z', 'open until 03-29 03:00:00'],
  ])('opens at the times of the zone %s, at %s', (zone, time, expected) => {
    expect(stateOf([night], zone, time)).toBe(expected)
  })

  it('has a zone of its own, and several of them are open when one is', () => {
    const windows = [
      { cron: '0 1 * * *', durationMinutes: 60, timeZone: 'Europe/Berlin' },
      { cron: '30 0 * * *', durationMinutes: 60 },
    ]

    expect(
      ['00:00:00', '00:29:59', '00:45:00', '01:29:00', '01:30:00'].map((time) =>
        stateOf(windows, 'x', `2026-03-02T${time}Z`),
      ),
    ).toEqual([
      'open until 03-02 01:00:00',
      'open until 03-02 01:00:00',
      'open until 03-02 01:30:00',
      'open until 03-02 01:30:00',
      'closed until 03-03 00:00:00',
    ])
  })

  it('that opens again while it is open ends after the last', () => {
    const often = { cron: '*/10 * * * *', durationMinutes: 30 }

    expect(stateOf([often], 'UTC', '2026-03-02T12:05:00Z')).toBe('open until 03-02 12:30:00')
    expect(stateOf([often], 'UTC', '2026-03-02T12:30:00Z')).toBe('open until 03-02 13:00:00')
  })

  it('may never open', () => {
    expect(stateOf([{ cron: '0 0 30 2 *', durationMinutes: 60 }], 'UTC', '2026-03-02T12:00:00Z')).toBe(
      'closed until never',
    )
  })

  it('R92 with a strict end starts nothing that may be answered after it', () => {
    const strict = { cron: '0 12 * * *', durationMinutes: 2, strictEnd: true }

    expect(stateOf([strict], 'UTC', '2026-03-02T12:01:29Z', 30_000)).toBe('open until 03-02 12:01:30')
    expect(stateOf([strict], 'UTC', '2026-03-02T12:01:30Z', 30_000)).toBe('closed until 03-03 12:00:00')
    expect(stateOf([strict], 'UTC', '2026-03-02T12:00:00Z', 120_000)).toBe('closed until never')
  })
})

describe('R94 windows that are none', () => {
  const rule =
    'must be the name of a time zone, such as Europe/Berlin, or the path of a tag that names one, such as tags.timeZone, got'

  it.each([
    [[], 'windows must be a list of 1 to 14 windows, got []'],
    [Array.from({ length: 15 }, () => night), 'windows must be a list of 1 to 14 windows, got'],
    [{}, 'windows must be an array, got {}'],
    [[{ ...night, cron: 'nightly' }], 'windows.0.cron must be minute, hour, day of the month'],
    [[{ ...night, durationMinutes: 0 }], 'windows.0.durationMinutes must be at least 1, got 0'],
    [[{ ...night, durationMinutes: 1431 }], 'windows.0.durationMinutes must be at most 1430, got 1431'],
    [[{ cron: '0 1 * * *' }], 'windows.0.durationMinutes is missing'],
    [[{ ...night, timeZone: 'Mars/Base' }], `windows.0.timeZone ${rule} "Mars/Base"`],
    [[{ ...night, timeZone: 'tags.' }], `windows.0.timeZone ${rule} "tags."`],
    [[{ ...night, timeZone: 'properties.reported.zone' }], `windows.0.timeZone ${rule}`],
    [[{ ...night, strict: true }], 'windows.0.strict is not known'],
    [
      [night, { ...night, timeZone: 'tags.zone' }],
      'windows must be a list in which the zones of devices come from one tag, got',
    ],
  ])('%j', (windows, message) => {
    expect(() => parseExtensions({ windows }, [])).toThrow(message)
  })
})
