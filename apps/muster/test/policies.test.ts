import { generateKey } from '@muster/auth'
import { createDatabase } from '@muster/testkit'
import { expect, inject, it } from 'vitest'
import { findPolicy, prepareDatabase } from '../src/database.ts'

it('a configured policy that is changed is changed in the database, where the default ones keep their keys', async () => {
  await using database = await createDatabase(inject('databaseUrl'))
  const configured = (policy: object) => ({
    databaseUrl: database.url,
    policies: [{ name: 'ops', permissions: ['ServiceConnect' as const], ...policy }],
  })
  await prepareDatabase(configured({}))
  const first = await findPolicy(configured({}), 'ops')
  const owner = await findPolicy(configured({}), 'iothubowner')

  const primaryKey = generateKey()
  const changed = configured({ permissions: ['RegistryRead'], primaryKey })
  await prepareDatabase(changed)

  expect(await findPolicy(changed, 'ops')).toEqual({ ...first, permissions: ['RegistryRead'], primaryKey })
  expect(await findPolicy(changed, 'iothubowner')).toEqual(owner)
})
