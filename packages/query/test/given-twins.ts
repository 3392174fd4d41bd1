import type { TwinRow } from './arbitrary-twin.ts'

/** One twin for each kind of value that a member can have. */
export const givenTwins: readonly TwinRow[] = [
  row({}),
  row({ tags: { a: 1, b: 0 }, messages: 1, reported: { a: 1 } }),
  row({ tags: { a: 0.3, b: 0.1 }, messages: 0 }),
  row({ tags: { a: 1e23, b: 1e200 }, reported: [1e-200] }),
  row({ tags: { a: 1, b: 5e-324 } }),
  row({ tags: { a: -7, b: 60 }, status_reason: 'a', thumbprint: 'a', is_connected: true }),
  row({ tags: { a: 'a', b: '' }, reported: 'a' }),
  row({ tags: { a: '2026-03-01T10:30:00+01:00', b: 'a\u0001' }, activity: '2026-03-01T09:30:00.000Z' }),
  row({ tags: { a: true, b: null }, reported: ['a'], update_time: '2026-03-01T09:30:00.000Z' }),
  row({ tags: { a: false, b: false }, reported: [1, 'a'] }),
  row({ tags: { a: ['a', 1], b: {} }, reported: true }),
  row({ tags: { a: [1], b: { a: 1 } }, reported: 1, activity: '2026-03-01T09:30:00.500Z' }),
  row({ tags: { a: { a: 1 } }, thumbprint: '2026-03-01' }),
].map((twin, index) => ({ ...twin, device_id: `twin-${index}` }))

function row(members: Partial<TwinRow>): TwinRow {
  return {
    device_id: '',
    status: 'enabled',
    status_reason: null,
    thumbprint: null,
    is_connected: false,
    messages: null,
    activity: null,
    update_time: null,
    tags: {},
    desired: {},
    desired_version: 1,
    reported: {},
    ...members,
  }
}
