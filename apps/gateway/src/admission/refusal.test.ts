import { expect, it } from 'vitest'
import { type RefusalReason, returnCodeOf } from './refusal.ts'

it('G2 G55 every reason has its return code, and only those that pass by themselves have 3', () => {
  const codes = {
    clientId: 2,
    stopping: 3,
    busy: 3,
    throttled: 3,
    timeout: 3,
    failed: 3,
    gone: 3,
    takeover: 3,
    userName: 4,
    hostName: 4,
    unknown: 5,
    disabled: 5,
    token: 5,
    certificate: 5,
    expired: 5,
  } as const satisfies Record<RefusalReason, number>

  for (const [reason, code] of Object.entries(codes)) expect(returnCodeOf(reason as RefusalReason)).toBe(code)
})
