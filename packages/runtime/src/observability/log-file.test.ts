import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { openLog } from './log.ts'
import { openLogFile } from './log-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'muster-log-'))
afterAll(() => rmSync(folder, { recursive: true }))

it('begins a new file, which only its owner may read, and keeps the one before', () => {
  const path = join(folder, 'begins.log')
  using first = openLogFile(path)
  first.write('first\n')

  using second = openLogFile(path)
  second.write('second\n')

  expect(readFileSync(path, 'utf8')).toBe('second\n')
  expect(readFileSync(`${path}.1`, 'utf8')).toBe('first\n')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

it('never grows above its limit: what was written last is there, in it or in the one before', () => {
  const path = join(folder, 'grows.log')
  using file = openLogFile(path, { bytesMax: 100 })
  const lines = Array.from({ length: 50 }, (_, index) => `line ${index}\n`)

  for (const line of lines) file.write(line)

  const kept = `${readFileSync(`${path}.1`, 'utf8')}${readFileSync(path, 'utf8')}`
  expect(statSync(path).size).toBeLessThanOrEqual(100)
  expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(100)
  expect(lines.join('').endsWith(kept)).toBe(true)
  expect(kept).toContain('line 49\n')
})

it('takes the log of a hub', () => {
  const path = join(folder, 'hub.log')
  using file = openLogFile(path)

  openLog('info', file).info({ jobId: 'j' }, 'jobStarted')

  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ level: 'info', jobId: 'j', event: 'jobStarted' })
})
