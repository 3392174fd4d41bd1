import { describe, expect, it } from 'vitest'
import { isDeviceId, moduleKey, parseDeviceId, parseJobId, parseModuleId, partsOf } from './ids.ts'

describe('a device id', () => {
  it.each(['...', '.a', 'a.', "-:.+%_#*?!(),=@;$'", 'x'.repeat(128)])('may be %s', (text) => {
    expect(isDeviceId(text)).toBe(true)
  })

  it.each(['', '.', '..', 'a/b', 'a b', 'é', 'x'.repeat(129)])('is not %j', (text) => {
    expect(() => parseDeviceId(text)).toThrow('deviceId must be 1 to 128')
  })
})

describe('a job id', () => {
  it.each(['a', '...', '.a', "!#%&'*+-.^_`|~Az09", 'x'.repeat(64)])('may be %s', (text) => {
    expect(parseJobId(text)).toBe(text)
  })

  it.each(['', '.', '..', 'a/b', 'a b', 'a:b', 'é', 'x'.repeat(65)])('is not %j', (text) => {
    expect(() => parseJobId(text)).toThrow('jobId must be 1 to 64')
  })
})

it('the key of a module holds both of its ids', () => {
  const parts = { deviceId: parseDeviceId('pump-1'), moduleId: parseModuleId('control') }

  expect(partsOf(moduleKey(parts.deviceId, parts.moduleId))).toEqual(parts)
  expect(partsOf(parts.deviceId)).toEqual({ deviceId: 'pump-1', moduleId: null })
})
