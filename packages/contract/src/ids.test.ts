import { describe, expect, it } from 'vitest'
import { isDeviceId, moduleKey, parseDeviceId, parseModuleId, partsOf } from './ids.ts'

describe('a device id', () => {
  it.each(['...', '.a', 'a.', "-:.+%_#*?!(),=@;$'", 'x'.repeat(128)])('may be %s', (text) => {
    expect(isDeviceId(text)).toBe(true)
  })

  it.each(['', '.', '..', 'a/b', 'a b', 'é', 'x'.repeat(129)])('is not %j', (text) => {
    expect(() => parseDeviceId(text)).toThrow('deviceId must be 1 to 128')
  })
})

it('the key of a module holds both of its ids', () => {
  const parts = { deviceId: parseDeviceId('pump-1'), moduleId: parseModuleId('control') }

  expect(partsOf(moduleKey(parts.deviceId, parts.moduleId))).toEqual(parts)
  expect(partsOf(parts.deviceId)).toEqual({ deviceId: 'pump-1', moduleId: null })
})
