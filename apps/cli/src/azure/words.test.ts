import { describe, expect, it } from 'vitest'
import { ownWords } from './words.ts'

describe('the words of an az script', () => {
  it('become a command here, with JSON as the output and nothing to ask', () => {
    expect(ownWords(['iot', 'hub', 'job', 'cancel', '--job-id', 'j1', '-n', 'myhub'])).toEqual([
      'job',
      'cancel',
      '--yes',
      '--job-id',
      'j1',
      '-n',
      'myhub',
      '--output',
      'json',
    ])
  })

  it('take away without asking, as there', () => {
    expect(ownWords(['iot', 'hub', 'device-identity', 'delete'])).toContain('--yes')
    expect(ownWords(['iot', 'hub', 'device-twin', 'replace'])).toContain('--yes')
  })

  it('keep the output that they name', () => {
    expect(ownWords(['iot', 'hub', 'query', '-q', 'SELECT * FROM devices', '-o', 'table'])).toEqual([
      'query',
      '-q',
      'SELECT * FROM devices',
      '-o',
      'table',
    ])
  })

  it('are left alone without the prefix', () => {
    const words = ['twin', 'update', 'd1', '--patch', '{}']

    expect(ownWords(words)).toEqual(words)
  })

  it('are refused when there is no such command here', () => {
    expect(() => ownWords(['iot', 'hub', 'monitor-events', '-n', 'myhub'])).toThrow(
      /^"iot hub monitor-events -n" is none of job create, /,
    )
  })
})
