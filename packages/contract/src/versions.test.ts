import { describe, expect, it } from 'vitest'
import { jobStatuses, jobTransitions, jobTypes } from './job.ts'
import {
  isForeignJobStatus,
  isForeignJobType,
  knownJobTypes,
  parseJobStatus,
  parseJobType,
  vocabularyOf,
} from './versions.ts'

describe('an api-version', () => {
  it.each([
    '2016-09-30-preview',
    '2016-11-14',
    '2018-06-30',
    '2021-04-12',
    '2024-03-31',
    '2020-05-31-preview',
    '2024-02-29',
  ])('%s is known', (version) => {
    expect(vocabularyOf(version).type.scheduleUpdateTwin).toBeDefined()
  })

  it.each([
    undefined,
    '',
    '1',
    '2016-09-29',
    '2015-01-01',
    '2021-4-12',
    '2021-13-45',
    '2021-02-30',
    '2023-02-29-preview',
    '2021-00-10',
    '2021-04-12x',
    '2021-04-12-Preview',
  ])('%s is refused, and named', (version) => {
    expect(() => vocabularyOf(version)).toThrow(version === undefined ? 'missing' : `"${version}"`)
  })
})

describe('the spellings', () => {
  it.each(['2016-09-30-preview', '2016-11-14', '2021-04-12'])(
    'that %s emits are understood in every version',
    (version) => {
      const { type, status } = vocabularyOf(version)

      expect(jobTypes.map((one) => parseJobType(type[one]))).toEqual(jobTypes)
      expect(jobStatuses.map((one) => parseJobStatus(status[one]))).toEqual(jobStatuses)
    },
  )

  it('of the documents of 2016 name the same types, in any letter case', () => {
    for (const text of ['scheduleDirectRequest', 'scheduledDeviceMethod', 'SCHEDULEDIRECTMETHOD']) {
      expect(parseJobType(text)).toBe('scheduleDeviceMethod')
    }
    for (const text of ['scheduleTwinUpdate', 'scheduledUpdateTwin', 'ScheduleUpdateTwin']) {
      expect(parseJobType(text)).toBe('scheduleUpdateTwin')
    }
    expect(parseJobType('reboot')).toBeNull()
    expect(isForeignJobType('reboot')).toBe(false)
  })
})

it('no job type or status of ours is a foreign one', () => {
  expect(knownJobTypes.filter(isForeignJobType)).toEqual([])
  expect(jobStatuses.filter(isForeignJobStatus)).toEqual([])
  expect(['IMPORT', 'rebootDevice'].map(isForeignJobType)).toEqual([true, true])
})

it('J2 no terminal status has a successor, and no status leads back to an earlier run', () => {
  expect(['completed', 'failed', 'cancelled'].map((status) => jobTransitions[status as 'completed'])).toEqual([
    [],
    [],
    [],
  ])
  expect(jobTransitions.running).not.toContain('queued')
})
