import { expect, it } from 'vitest'
import { resultTable } from './result-table.ts'

it('puts the devices that answered 200 into one line and gives every other one its own', () => {
  const answered = (deviceId: string, status: number) => ({
    deviceId,
    status: 'completed' as const,
    outcome: { deviceMethodResponse: { status, payload: { ok: status === 200 } } },
  })
  const failed = { code: 'GatewayTimeout', description: 'No answer.' }

  const table = resultTable([
    answered('a', 200),
    answered('b', 500),
    answered('c', 200),
    { deviceId: 'd', status: 'failed', outcome: {}, error: failed },
  ])

  expect(table.split('\n')).toEqual([
    '  device     status     code            description',
    '  2 devices  completed  200',
    '  b          completed  500             {"ok":false}',
    '  d          failed     GatewayTimeout  No answer.',
  ])
})
