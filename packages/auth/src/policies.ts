import { randomBytes } from 'node:crypto'

/** The permissions that a shared access policy can give, by their names on the wire. */
export const permissions = ['RegistryRead', 'RegistryWrite', 'ServiceConnect', 'DeviceConnect'] as const
export type Permission = (typeof permissions)[number]

/** A named pair of keys. Either key signs, so that one can be replaced while the other is in use. */
export interface Policy {
  readonly name: string
  readonly permissions: readonly Permission[]
  readonly primaryKey: string
  readonly secondaryKey: string
}

/** The five policies every hub starts with. Their keys are made at first start, with `generateKey`. */
export const defaultPolicies: readonly { readonly name: string; readonly permissions: readonly Permission[] }[] = [
  { name: 'iothubowner', permissions },
  { name: 'service', permissions: ['ServiceConnect'] },
  { name: 'device', permissions: ['DeviceConnect'] },
  { name: 'registryRead', permissions: ['RegistryRead'] },
  { name: 'registryReadWrite', permissions: ['RegistryRead', 'RegistryWrite'] },
]

/** A new symmetric key: 32 random bytes, in base64. */
export function generateKey(): string {
  return randomBytes(32).toString('base64')
}
