import { expect, it } from 'vitest'
import { readVersion } from '../config/version.ts'
import { describeError, openLog } from './log.ts'

it('keeps the parameters of a failed statement out of the log', () => {
  const cause = Object.assign(new Error('connection refused'), { code: 'ECONNREFUSED' })
  const failure = Object.assign(
    new Error('Failed query: insert into devices values ($1)\nparams: c2VjcmV0', { cause }),
    {
      query: 'insert into devices values ($1)',
      params: ['c2VjcmV0'],
    },
  )

  const described = describeError(failure)

  expect(JSON.stringify(described)).not.toContain('c2VjcmV0')
  expect(described).toMatchObject({
    statement: 'insert into devices values ($1)',
    cause: { message: 'connection refused', code: 'ECONNREFUSED' },
  })
})

it('describes what is thrown and is no error by its type alone', () => {
  expect(describeError('c2VjcmV0')).toEqual({ type: 'string' })
})

it('every line says which version of which process wrote it', () => {
  const lines: string[] = []

  openLog('info', { write: (line) => lines.push(line) }).info({}, 'jobStarted')

  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      version: readVersion(),
      instance: expect.stringMatching(new RegExp(`^[^:]+:${process.pid}$`)),
      event: 'jobStarted',
    },
  ])
})
