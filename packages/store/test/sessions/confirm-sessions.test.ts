import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Db } from '../../src/postgres/sql.ts'
import { keyFingerprint, thumbprintFingerprint } from '../../src/registry/fingerprints.ts'
import { type Authentication, insertIdentities } from '../../src/registry/identities.ts'
import { putPolicy } from '../../src/registry/policies.ts'
import { closeSessions } from '../../src/sessions/activity.ts'
import { confirmSessions } from '../../src/sessions/confirm-sessions.ts'
import { openSession } from '../../src/sessions/sessions.ts'
import { deviceId, draft, givenGateway } from '../fleet.ts'
import { noon, openStore } from '../jobs/engine.ts'

let store: Awaited<ReturnType<typeof openStore>>
let db: Db

beforeAll(async () => {
  store = await openStore()
  db = store.db
})
afterAll(() => store[Symbol.asyncDispose]())

describe('a connection that is compared', () => {
  const [primary, secondary] = ['cHJpbWFyeQ==', 'c2Vjb25kYXJ5']
  const keys = { type: 'sas', primaryKey: primary, secondaryKey: secondary } as const
  const noKeys = { primaryKey: null, secondaryKey: null }
  const thumbprints = { primaryThumbprint: 'ab'.repeat(20), secondaryThumbprint: null }
  const certified = { type: 'selfSigned', ...noKeys, ...thumbprints } as const
  const policy = { name: 'fleet', permissions: ['DeviceConnect'], primaryKey: primary, secondaryKey: 'b3RoZXI=' }

  beforeAll(async () => {
    await putPolicy(db, policy, policy)
    await putPolicy(db, { ...policy, name: 'service', permissions: ['ServiceConnect'] }, { permissions: [] })
  })

  it.each<[string, Partial<Authentication>, string[], boolean]>([
    ['its primary key', keys, [keyFingerprint(primary, null)], true],
    ['its secondary key', keys, [keyFingerprint(secondary, null)], true],
    ['a key that is gone', { ...keys, primaryKey: null }, [keyFingerprint(primary, null)], false],
    ['a key, and has none', { ...noKeys, type: 'none' }, [keyFingerprint(primary, null)], false],
    ['a policy, and has no key', { ...noKeys, type: 'none' }, [keyFingerprint(primary, 'fleet')], true],
    ['the other key of a policy', keys, [keyFingerprint('b3RoZXI=', 'fleet')], true],
    ['a policy without the permission', keys, [keyFingerprint(primary, 'service')], false],
    ['a policy that is gone', keys, [keyFingerprint(primary, 'former')], false],
    ['a policy, and has a certificate', certified, [keyFingerprint(primary, 'fleet')], false],
    ['one hash of its certificate', certified, ['x', thumbprintFingerprint('AB'.repeat(20))], true],
    ['another certificate', certified, [thumbprintFingerprint('CD'.repeat(20))], false],
    ['a thumbprint, and has keys', { ...keys, ...thumbprints }, [thumbprintFingerprint('AB'.repeat(20))], false],
    [
      'a certificate that an authority must sign',
      { ...certified, type: 'certificateAuthority' },
      [thumbprintFingerprint('AB'.repeat(20))],
      false,
    ],
    ['nothing', keys, [], false],
  ])('came by %s', async (name, change, fingerprints, isProven) => {
    const none = { primaryThumbprint: null, secondaryThumbprint: null }
    const authentication = { ...keys, ...none, ...change }
    const [id, gatewayId] = [deviceId(`by-${name.replaceAll(' ', '-')}`), await givenGateway(db, 'g1')]
    await insertIdentities(db, [draft(id, { authentication })], noon)
    const { connectionNo } = await openSession(db, { identity: id, gatewayId, clean: false }, noon)
    const held = [{ identity: id, connectionNo, fingerprints }]

    const compared = await confirmSessions(db, gatewayId, held, noon)
    await closeSessions(db, gatewayId, [{ identity: id, connectionNo, lastActivityAt: noon }], { waits: true }, noon)
    const afterwards = await confirmSessions(db, gatewayId, held, noon)

    expect(compared).toEqual([{ identity: id, isProven, isRevived: false, desiredVersion: 1 }])
    // Only a connection that may stay opens its session again.
    expect(afterwards.map(({ isRevived }) => isRevived)).toEqual(isProven ? [true] : [])
  })
})
