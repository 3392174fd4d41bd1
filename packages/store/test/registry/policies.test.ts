import { expect, it } from 'vitest'
import { ensurePolicies, putPolicy, readPolicies } from '../../src/registry/policies.ts'
import { openStore } from '../jobs/engine.ts'

const owner = { name: 'owner', permissions: ['ServiceConnect', 'RegistryRead'], primaryKey: 'a', secondaryKey: 'b' }
const device = { name: 'device', permissions: ['DeviceConnect'], primaryKey: 'c', secondaryKey: 'd' }

it('policies that are missing are added, and those that exist keep their keys', async () => {
  await using store = await openStore()
  await ensurePolicies(store.db, [owner])

  await ensurePolicies(store.db, [{ ...owner, primaryKey: 'new' }, device])
  await ensurePolicies(store.db, [])

  expect(await readPolicies(store.db)).toEqual([device, owner])
})

it('a policy that is put is added as it is; of one that exists only what is given changes', async () => {
  await using store = await openStore()
  await putPolicy(store.db, owner, owner)
  await putPolicy(store.db, device, device)

  const made = { ...owner, primaryKey: 'made', secondaryKey: 'made' }
  await putPolicy(store.db, made, { permissions: ['RegistryRead'], secondaryKey: 'given' })

  const changed = { ...owner, permissions: ['RegistryRead'], secondaryKey: 'given' }
  expect(await readPolicies(store.db)).toEqual([device, changed])
})
