import { expect } from 'vitest'
import type { Api } from './api.ts'

/**
 * Sends a query and checks that it is answered with rows, or with an error that says where in the text it is: a line of it, and a
 * column of that line or the one behind its end.
 */
export async function expectAnswer(api: Api, text: string): Promise<200 | 400> {
  const { status, body } = await api.send('POST', '/devices/query', { query: text })
  if (status === 200) {
    expect(body).toBeInstanceOf(Array)
    return status
  }
  expect(status, text).toBe(400)
  const place = /;SQL query parse failed .*\n\tLine (\d+):(\d+) found .+, expected .+/s.exec(body.Message)
  const [line, column] = [Number(place?.[1]), Number(place?.[2])]
  const lines = text.split('\n')
  expect(line, body.Message).toBeGreaterThan(0)
  expect(line, body.Message).toBeLessThanOrEqual(lines.length)
  expect(column, body.Message).toBeGreaterThan(0)
  expect(column, body.Message).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1)
  return 400
}
