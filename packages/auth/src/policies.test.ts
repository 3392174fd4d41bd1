import { expect, it } from 'vitest'
import { defaultPolicies, generateKey, permissions } from './policies.ts'

it('the owner may do everything and no other default policy does', () => {
  const unrestricted = defaultPolicies.filter((policy) =>
    permissions.every((permission) => policy.permissions.includes(permission)),
  )

  expect(unrestricted.map((policy) => policy.name)).toEqual(['iothubowner'])
})

it('a generated key is 32 bytes in base64, and new each time', () => {
  const keys = Array.from({ length: 100 }, generateKey)

  expect(new Set(keys).size).toBe(100)
  expect(keys.every((key) => Buffer.from(key, 'base64').length === 32)).toBe(true)
})
