import { signSasToken } from '@muster/auth'
import { expect, it } from 'vitest'
import { signServiceToken } from './credentials.ts'

it('a token of the client is the one that the hub would sign', async () => {
  const key = Buffer.from('a key with \u00ff\u0000 in it').toString('base64')
  const expiresAt = new Date('2026-12-01T02:00:00.500Z')

  const token = await signServiceToken({
    hostName: 'hub.example.com',
    policyName: 'a policy',
    key,
    expiresAtMs: expiresAt.getTime(),
  })

  expect(token).toBe(signSasToken({ resource: 'hub.example.com', policyName: 'a policy', key, expiresAt }))
})
